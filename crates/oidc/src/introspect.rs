//! Token introspection (RFC 7662): what a token is good for, told to those it concerns.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{
    client::{Client, ClientSource, GRANT_REFRESH},
    error::OAuthError,
    grant::GrantState,
    id::GrantId,
    jose::AccessClaims,
    realm::Realm,
    scope::Scopes,
    token::refresh_token::{self, TokenState},
};

/// The scope that lets a person's username be known (OIDC Core §5.4: `preferred_username`).
const NAMES: &str = "profile";

/// What was found behind the token.
#[derive(Debug)]
pub enum Facts {
    /// An access token whose signature, kind, issuer and times hold, and that is not revoked.
    Access {
        /// What it says.
        claims: Box<AccessClaims>,
        /// The person's username, where [`asks_for`] named a grant.
        username: Option<String>,
    },
    /// A refresh token, whosever it is.
    Refresh(Box<Refresh>),
    /// Nothing that is good.
    Nothing,
}

/// A refresh token as it stands. Looking changes nothing.
#[derive(Debug)]
pub struct Refresh {
    /// The token and what it depends on.
    pub loaded: refresh_token::Loaded,
    /// When it was issued.
    pub issued: DateTime<Utc>,
    /// The person's username.
    pub username: String,
}

/// RFC 7662 §2.2: what is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Introspection {
    active: bool,
    #[serde(flatten)]
    details: Option<Details>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Details {
    scope: String,
    client_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// RFC 6749 §5.1: of access tokens only, so that nobody takes a refresh token for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    exp: i64,
    iat: i64,
    sub: String,
    aud: Vec<String>,
    iss: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<String>,
}

impl Introspection {
    /// RFC 7662 §2.2: the one answer for everything else; it says nothing of why.
    pub const INACTIVE: Self = Self { active: false, details: None };
}

/// RFC 7662 §2.1, protocol U3: confidential clients only. Anybody could name a public one.
pub fn permit(client: &Client) -> Result<(), OAuthError> {
    if client.is_public() {
        return Err(OAuthError::invalid_client("introspection needs a client that authenticates with a secret"));
    }
    Ok(())
}

/// The grant whose person's username is to be loaded before [`decide`]; none where the caller is not told it.
pub fn asks_for(client: &Client, claims: &AccessClaims, realm: &Realm) -> Option<GrantId> {
    let scopes: Scopes = claims.scope.parse().unwrap_or_default();
    let told = may_look(client, claims, realm) && may_know_the_name(client, &claims.client_id, &scopes);
    claims.grant.filter(|_| told)
}

/// Decides what `client` is told.
pub fn decide(client: &Client, facts: Facts, realm: &Realm, now: DateTime<Utc>) -> Introspection {
    let details = match facts {
        Facts::Access { claims, username } if may_look(client, &claims, realm) => Some(of_access(*claims, username)),
        Facts::Refresh(found) if is_good(client, &found.loaded, now) => Some(of_refresh(client, *found, realm)),
        Facts::Access { .. } | Facts::Refresh(_) | Facts::Nothing => None,
    };
    details.map_or(Introspection::INACTIVE, |details| Introspection { active: true, details: Some(details) })
}

/// Protocol U3: the client the token was issued to, and the resource server named in `aud`.
fn may_look(client: &Client, claims: &AccessClaims, realm: &Realm) -> bool {
    claims.client_id == client.id.as_str() || is_resource_server(client, claims, realm)
}

/// A resource server is the client whose identifier is the audience. A client that merely gets tokens *for* that
/// audience (`default_audience`) is one caller of the API among others, and must not look at theirs. A client that
/// nobody here has checked is no resource server, and `aud` naming Signet itself is no client's.
fn is_resource_server(client: &Client, claims: &AccessClaims, realm: &Realm) -> bool {
    let id = client.id.as_str();
    let ours = id == realm.issuer || id == realm.api_audience();
    client.source == ClientSource::Admin && !ours && claims.aud.iter().any(|audience| audience == id)
}

/// The person allowed the profile to the token's own client; a resource server of ours may know it too.
fn may_know_the_name(client: &Client, issued_to: &str, scopes: &Scopes) -> bool {
    scopes.contains(NAMES) && (client.id.as_str() == issued_to || client.first_party)
}

/// Protocol U3: a refresh token concerns its own client alone, and is good while it could still be used.
fn is_good(client: &Client, loaded: &refresh_token::Loaded, now: DateTime<Utc>) -> bool {
    loaded.grant.client == client.key
        && client.may_use_grant(GRANT_REFRESH)
        && loaded.state == TokenState::Fresh
        && loaded.expires > now
        && loaded.grant.state == GrantState::Active
        && loaded.account.active
        && client.admits(&loaded.person.roles)
        && !loaded.session_over
}

fn of_access(claims: AccessClaims, username: Option<String>) -> Details {
    Details {
        scope: claims.scope,
        client_id: claims.client_id,
        username,
        token_type: Some("Bearer"),
        exp: claims.exp,
        iat: claims.iat,
        sub: claims.sub,
        aud: claims.aud,
        iss: claims.iss,
        jti: Some(claims.jti),
        auth_time: claims.auth_time,
        acr: claims.acr,
    }
}

/// Its audience is the issuer, the only one that takes it.
fn of_refresh(client: &Client, found: Refresh, realm: &Realm) -> Details {
    let Refresh { loaded, issued, username } = found;
    // What was granted once is no more than what the client may ask for today.
    let scopes = loaded.grant.scopes.intersection(&client.scopes);
    Details {
        username: may_know_the_name(client, client.id.as_str(), &scopes).then_some(username),
        scope: scopes.to_string(),
        client_id: client.id.as_str().to_owned(),
        token_type: None,
        exp: loaded.expires.timestamp(),
        iat: issued.timestamp(),
        sub: loaded.grant.subject,
        aud: vec![realm.issuer.clone()],
        iss: realm.issuer.clone(),
        jti: None,
        auth_time: Some(loaded.grant.auth_time.timestamp()),
        acr: Some(loaded.grant.acr),
    }
}

#[cfg(test)]
mod tests {
    use chrono::Duration;
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        client::ClientAuth,
        fixtures::{access_claims, account, client, grant, now, realm},
        id::{ClientId, ClientKey},
    };

    fn called(id: &str) -> Client {
        Client { key: ClientKey(2), id: ClientId::parse(id).unwrap(), ..client() }
    }

    fn told(client: &Client, facts: Facts) -> Value {
        serde_json::to_value(decide(client, facts, &realm(), now())).unwrap()
    }

    fn access(claims: AccessClaims) -> Facts {
        Facts::Access { claims: Box::new(claims), username: Some("ada".into()) }
    }

    fn refresh() -> Refresh {
        let loaded = refresh_token::Loaded {
            person: crate::subject::Person::default(),
            grant: grant(),
            account: account(),
            session_over: false,
            state: TokenState::Fresh,
            expires: now() + Duration::days(30),
        };
        Refresh { loaded, issued: now() - Duration::minutes(5), username: "ada".into() }
    }

    /// U3: an access token concerns its own client and the resource server that `aud` names. It concerns no other client
    /// that gets tokens for the same audience, none that nobody has checked, and none that took Signet's own name.
    #[test]
    fn whom_an_access_token_concerns() {
        let audience = ["https://api.example", "https://op.example", "https://op.example/api", "gone"];
        let claims = || AccessClaims { aud: audience.map(str::to_owned).to_vec(), ..access_claims() };
        let neighbour = Client { default_audience: Some("https://api.example".into()), ..called("neighbour") };
        let dynamic = Client { source: ClientSource::Dynamic, ..called("https://api.example") };
        let document = ClientSource::Document { fetched_at: now() };
        let document = Client { source: document, ..called("https://api.example") };
        let own_dynamic = Client { source: ClientSource::Dynamic, ..client() };
        let cases = [
            ("its own client", client(), true),
            ("its own client, self-registered", own_dynamic, true),
            ("the resource server", called("https://api.example"), true),
            ("another resource server", called("https://other.example"), false),
            ("the address with a slash", called("https://api.example/"), false),
            ("in another case", called("https://API.example"), false),
            ("a client that calls the same API", neighbour, false),
            ("a self-registered client of that name", dynamic, false),
            ("a document of that name", document, false),
            ("a client that took the issuer's name", called("https://op.example"), false),
            ("a client that took the API's name", called("https://op.example/api"), false),
        ];
        for (who, client, expected) in cases {
            let answer = told(&client, access(claims()));
            assert_eq!(answer["active"], expected, "{who}");
            assert!(expected || answer == json!({ "active": false }), "{who}: {answer}");
            assert!(expected || asks_for(&client, &claims(), &realm()).is_none(), "{who}");
        }
    }

    /// U3, RFC 7662 §2.2: what an answer holds, and `{"active":false}` to the letter for the rest.
    #[test]
    fn what_is_told() {
        let answer = told(&client(), access(access_claims()));
        let expected = json!({
            "active": true, "scope": "openid profile", "client_id": "app", "username": "ada", "token_type": "Bearer",
            "exp": now().timestamp() + 900, "iat": now().timestamp(), "sub": "subject",
            "aud": ["app", "https://op.example"], "iss": "https://op.example", "jti": "jti",
            "auth_time": now().timestamp() - 600, "acr": "1",
        });
        assert_eq!(answer, expected);
        let answer = told(&client(), Facts::Refresh(Box::new(refresh())));
        let expected = json!({
            "active": true, "scope": "email openid profile", "client_id": "app", "username": "ada",
            "exp": now().timestamp() + 30 * 86_400, "iat": now().timestamp() - 300, "sub": "subject",
            "aud": ["https://op.example"], "iss": "https://op.example",
            "auth_time": now().timestamp() - 600, "acr": "1",
        });
        assert_eq!(answer, expected);
        assert_eq!(told(&client(), Facts::Nothing).to_string(), r#"{"active":false}"#);
        let service = AccessClaims { auth_time: None, acr: None, grant: None, ..access_claims() };
        let answer = told(&client(), Facts::Access { claims: Box::new(service), username: None });
        for absent in ["auth_time", "acr", "username"] {
            assert!(answer.get(absent).is_none(), "{absent}");
        }
    }

    /// U3: a username is loaded for the token's own client and for resource servers of ours, where the person allowed the
    /// profile.
    #[test]
    fn who_is_told_a_name() {
        let claims = |scope: &str| AccessClaims { scope: scope.into(), aud: vec!["rs".into()], ..access_claims() };
        let ours = Client { first_party: true, ..called("rs") };
        let stranger = Client { first_party: true, ..called("stranger") };
        for (client, scope, expected) in [
            (&client(), "openid profile", true),
            (&client(), "openid email", false),
            (&called("rs"), "openid profile", false),
            (&ours, "openid profile", true),
            (&ours, "openid", false),
            (&stranger, "openid profile", false),
        ] {
            let asked = asks_for(client, &claims(scope), &realm());
            assert_eq!(asked, expected.then(|| grant().id), "{} {scope}", client.id);
        }
        let service = AccessClaims { grant: None, ..claims("profile") };
        assert_eq!(asks_for(&client(), &service, &realm()), None, "nobody stands behind a service's own token");

        let mut quiet = refresh();
        quiet.loaded.grant.scopes = "openid email".parse().unwrap();
        assert!(told(&client(), Facts::Refresh(Box::new(quiet))).get("username").is_none());
    }

    /// U3: a refresh token is good for its own client, while it could be used; and lists no more than the client may ask
    /// for today.
    #[test]
    fn when_a_refresh_token_is_good() {
        let with = |change: &dyn Fn(&mut refresh_token::Loaded)| {
            let mut found = refresh();
            change(&mut found.loaded);
            told(&client(), Facts::Refresh(Box::new(found)))
        };
        let inactive = json!({ "active": false });
        assert_eq!(with(&|_| ())["active"], true);
        assert_eq!(with(&|loaded| loaded.expires = now() + Duration::seconds(1))["active"], true);
        assert_eq!(with(&|loaded| loaded.expires = now()), inactive);
        assert_eq!(with(&|loaded| loaded.state = TokenState::Spent { at: now() }), inactive);
        assert_eq!(with(&|loaded| loaded.state = TokenState::Superseded), inactive);
        assert_eq!(with(&|loaded| loaded.session_over = true), inactive);
        assert_eq!(with(&|loaded| loaded.account.active = false), inactive);
        assert_eq!(with(&|loaded| loaded.grant.state = GrantState::Revoked { at: now() }), inactive);
        assert_eq!(with(&|loaded| loaded.grant.client = ClientKey(2)), inactive);
        let mut without = client();
        without.grant_types.retain(|name| name != GRANT_REFRESH);
        assert_eq!(told(&without, Facts::Refresh(Box::new(refresh()))), inactive);
        let mut limited = client();
        limited.metadata.access_roles = vec!["staff".into()];
        assert_eq!(told(&limited, Facts::Refresh(Box::new(refresh()))), inactive, "for others");
        let mut staff = refresh();
        staff.loaded.person.roles = vec!["staff".into()];
        assert_eq!(told(&limited, Facts::Refresh(Box::new(staff)))["active"], true);
        let narrow = Client { scopes: "openid".parse().unwrap(), ..client() };
        assert_eq!(told(&narrow, Facts::Refresh(Box::new(refresh())))["scope"], "openid");
    }

    /// U3: a public client asks in vain.
    #[test]
    fn confidential_clients_only() {
        assert!(permit(&client()).is_ok());
        let public = Client { auth: ClientAuth::None, ..client() };
        assert_eq!(permit(&public).unwrap_err().code, crate::ErrorCode::InvalidClient);
    }
}
