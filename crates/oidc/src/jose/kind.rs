//! The kinds of JWT there are, in one table (RFC 8725 §3.11): no endpoint takes another kind than its own.

use chrono::Duration;
use serde_json::{Map, Value};

use super::Alg;

/// Whom a kind of JWT is for: what its `aud` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// An API, or this provider for userinfo.
    Resource,
    /// One client.
    Client,
    /// This provider.
    Provider,
}

/// A kind of JWT.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// RFC 7515 §4.1.9: what `typ` may say, without `application/`, in any case. What is made here says the first.
    types: &'static [&'static str],
    /// Whether it may be without `typ`: clients' libraries leave it out.
    untyped: bool,
    /// What it may be signed with.
    algs: &'static [&'static [Alg]],
    /// What `aud` names.
    pub audience: Audience,
    /// How far ahead of its beginning its end may lie; as its maker says where there is none.
    pub greatest_age: Option<Duration>,
    /// The claims it cannot be without.
    required: &'static [&'static str],
}

/// RFC 9068 §2.
pub static ACCESS_TOKEN: Kind = Kind {
    types: &["at+jwt"],
    untyped: false,
    algs: &[&Alg::SIGNING],
    audience: Audience::Resource,
    greatest_age: Some(Duration::minutes(60)),
    required: &["iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope", "ugen", "cgen"],
};

/// OIDC Core §2. Unsigned where the client registered that.
pub static ID_TOKEN: Kind = Kind {
    types: &["JWT"],
    untyped: false,
    algs: &[&Alg::SIGNING, &[Alg::None]],
    audience: Audience::Client,
    greatest_age: Some(Duration::hours(24)),
    required: &["iss", "sub", "aud", "exp", "iat", "auth_time", "acr", "amr"],
};

/// OIDC Core §5.3.2. It has no times, and so is no ID token.
pub static USERINFO: Kind = Kind {
    types: &["JWT"],
    untyped: false,
    algs: &[&Alg::SIGNING],
    audience: Audience::Client,
    greatest_age: None,
    required: &["iss", "sub", "aud"],
};

/// OIDC Back-Channel Logout §2.4.
pub static LOGOUT_TOKEN: Kind = Kind {
    types: &["logout+jwt"],
    untyped: false,
    algs: &[&Alg::SIGNING],
    audience: Audience::Client,
    greatest_age: Some(Duration::minutes(2)),
    required: &["iss", "sub", "aud", "exp", "iat", "jti", "events"],
};

/// RFC 7523 §3. Libraries make them for one minute up to one hour; the row that remembers the `jti` lives as long, and
/// whoever steals one has as long.
pub static CLIENT_ASSERTION: Kind = Kind {
    types: &["JWT", "client-authentication+jwt"],
    untyped: true,
    algs: &[&Alg::ACCEPTED, &Alg::MAC],
    audience: Audience::Provider,
    greatest_age: Some(Duration::hours(1)),
    required: &["iss", "sub", "aud", "exp", "jti"],
};

/// RFC 9101 §4, OIDC Core §6.1. Its claims are required where nothing counts that is not signed; Core requires none. One
/// that is good for longer than the greatest age is meant to be sent more than once.
pub static REQUEST_OBJECT: Kind = Kind {
    types: &["oauth-authz-req+jwt", "JWT"],
    untyped: true,
    algs: &[&Alg::ACCEPTED, &[Alg::None]],
    audience: Audience::Provider,
    greatest_age: Some(Duration::hours(1)),
    required: &["iss", "aud", "client_id"],
};

impl Kind {
    /// What those made here say in `typ`.
    pub fn typ(&self) -> &'static str {
        self.types.first().copied().unwrap_or_default()
    }

    /// RFC 7515 §4.1.9: whether a header with this `typ`, or without one, is of this kind.
    pub fn is_named(&self, typ: Option<&Value>) -> bool {
        let Some(typ) = typ else { return self.untyped };
        let typ = typ.as_str().unwrap_or_default();
        let (prefix, subtype) = typ.split_at_checked("application/".len()).unwrap_or_default();
        let typ = if prefix.eq_ignore_ascii_case("application/") { subtype } else { typ };
        self.types.iter().any(|known| known.eq_ignore_ascii_case(typ))
    }

    /// RFC 8725 §3.1: whether it may be signed with this.
    pub fn may_be_signed_with(&self, alg: Alg) -> bool {
        self.algs.iter().any(|algs| algs.contains(&alg))
    }

    /// The first of the required claims that is not there.
    pub fn missing(&self, claims: &Map<String, Value>) -> Option<&'static str> {
        self.required.iter().copied().find(|name| claims.get(*name).is_none_or(Value::is_null))
    }

    /// Whether one that began and ends then, in seconds, is good for no longer than it may be.
    pub fn may_last(&self, from: i64, until: i64) -> bool {
        self.greatest_age.is_none_or(|age| until.saturating_sub(from) <= age.num_seconds())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn all() -> [&'static Kind; 6] {
        [&ACCESS_TOKEN, &ID_TOKEN, &USERINFO, &LOGOUT_TOKEN, &CLIENT_ASSERTION, &REQUEST_OBJECT]
    }

    /// T2, A14, A9: which `typ` each kind goes by; what is made here for others is none of what is taken from clients.
    #[test]
    fn names() {
        let rows: [(Value, [bool; 6]); 12] = [
            (json!("at+jwt"), [true, false, false, false, false, false]),
            (json!("AT+JWT"), [true, false, false, false, false, false]),
            (json!("application/at+jwt"), [true, false, false, false, false, false]),
            (json!("JWT"), [false, true, true, false, true, true]),
            (json!("jwt"), [false, true, true, false, true, true]),
            (json!("logout+jwt"), [false, false, false, true, false, false]),
            (json!("client-authentication+jwt"), [false, false, false, false, true, false]),
            (json!("Application/oauth-authz-req+jwt"), [false, false, false, false, false, true]),
            (json!("application/application/JWT"), [false; 6]),
            (json!(""), [false; 6]),
            (json!("\u{e9}"), [false; 6]),
            (json!(1), [false; 6]),
        ];
        for (typ, expected) in rows {
            assert_eq!(all().map(|kind| kind.is_named(Some(&typ))), expected, "{typ}");
        }
        assert_eq!(all().map(|kind| kind.is_named(None)), [false, false, false, false, true, true]);
        let made = ["at+jwt", "JWT", "JWT", "logout+jwt", "JWT", "oauth-authz-req+jwt"];
        assert_eq!(all().map(Kind::typ), made);
    }

    /// T8, T2, A14: what each kind may be signed with: no shared secret where the key is ours, no `none` where it proves
    /// something.
    #[test]
    fn algorithms() {
        for (alg, expected) in [
            (Alg::Rs256, [true; 6]),
            (Alg::Es512, [true; 6]),
            (Alg::EdDsa, [true; 6]),
            (Alg::Ed25519, [false, false, false, false, true, true]),
            (Alg::Hs256, [false, false, false, false, true, false]),
            (Alg::None, [false, true, false, false, false, true]),
        ] {
            assert_eq!(all().map(|kind| kind.may_be_signed_with(alg)), expected, "{}", alg.as_str());
        }
    }

    /// T8, L2: what each cannot be without, and how long it may be good for.
    #[test]
    fn claims_and_ages() {
        for kind in all() {
            let full: Map<String, Value> = kind.required.iter().map(|name| ((*name).to_owned(), json!("x"))).collect();
            assert_eq!(kind.missing(&full), None);
            for name in kind.required {
                let mut less = full.clone();
                less.insert((*name).to_owned(), Value::Null);
                assert_eq!(kind.missing(&less), Some(*name));
                less.remove(*name);
                assert_eq!(kind.missing(&less), Some(*name));
            }
        }
        let audiences = all().map(|kind| kind.audience);
        let (client, provider) = (Audience::Client, Audience::Provider);
        assert_eq!(audiences, [Audience::Resource, client, client, client, provider, provider]);
        for (kind, seconds) in all().into_iter().zip([3_600, 86_400, i64::MAX, 120, 3_600, 3_600]) {
            assert!(kind.may_last(0, seconds));
            assert_eq!(kind.may_last(-1, seconds), seconds == i64::MAX, "{seconds}");
        }
    }
}
