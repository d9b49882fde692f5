//! What an API may be.

use std::borrow::Cow;

use signet_oidc::{
    client::is_name,
    jose::Alg,
    realm::Realm,
    scope::{STANDARD, Scopes},
};
use url::Url;

use super::NewResource;
use crate::admin::{Act, AdminError};

/// The greatest number of scopes.
const MAX_SCOPES: usize = 200;

fn wrong(field: &'static str, message: impl Into<Cow<'static, str>>) -> AdminError {
    AdminError::invalid("invalid_resource", field, message)
}

/// Every check, in order. Answers the API as it is stored.
pub(super) fn check(act: &Act<'_, '_>, new: NewResource) -> Result<NewResource, AdminError> {
    let new = check_values(new, &act.desk.realm)?;
    if let Some(alg) = &new.access_token_alg
        && !Alg::parse(alg).is_some_and(Alg::is_signing)
    {
        let known = Alg::SIGNING.map(Alg::as_str).join(", ");
        return Err(wrong("access_token_alg", format!("{alg:?}: use one of {known}.")));
    }
    Ok(new)
}

fn check_values(mut new: NewResource, realm: &Realm) -> Result<NewResource, AdminError> {
    if new.identifier.len() > 2_048
        || !new.identifier.bytes().all(|byte| byte.is_ascii_graphic())
        || new.identifier.contains('#')
        || Url::parse(&new.identifier).is_err()
    {
        return Err(wrong(
            "identifier",
            "Use an absolute URI of at most 2048 bytes of ASCII without a fragment, such as https://api.example/.",
        ));
    }
    if new.identifier == realm.issuer {
        return Err(wrong("identifier", "The issuer is no API: the scope `openid` gives access to userinfo."));
    }
    new.name = new.name.trim().to_owned();
    if !is_name(&new.name) {
        return Err(wrong("name", "Use 1 to 200 characters, none that control or turn the text around them."));
    }
    if new.access_token_seconds.is_some_and(|seconds| !(60..=3_600).contains(&seconds)) {
        return Err(wrong("access_token_seconds", "Use 60 to 3600 seconds."));
    }
    if new.scopes.len() > MAX_SCOPES {
        return Err(wrong("scopes", format!("Give at most {MAX_SCOPES} scopes.")));
    }
    new.scopes.sort_by(|a, b| a.name.cmp(&b.name));
    let mut before: Option<&str> = None;
    for scope in &mut new.scopes {
        scope.description = scope.description.trim().to_owned();
    }
    for scope in &new.scopes {
        let token: Option<Scopes> = scope.name.parse().ok();
        if scope.name.len() > 256 || token.is_none_or(|token| token.iter().next() != Some(&*scope.name)) {
            return Err(wrong("scopes", format!("{:?}: a scope is 1 to 256 bytes without spaces.", scope.name)));
        }
        if STANDARD.iter().any(|(name, _)| *name == scope.name) {
            return Err(wrong(
                "scopes",
                format!("{:?} is a scope of OpenID Connect itself. Choose another.", scope.name),
            ));
        }
        if scope.description.chars().count() > 300 || scope.description.chars().any(char::is_control) {
            return Err(wrong(
                "scopes",
                format!("{:?}: describe it in at most 300 characters of one line.", scope.name),
            ));
        }
        if before == Some(&*scope.name) {
            return Err(wrong("scopes", format!("{:?} is given twice.", scope.name)));
        }
        before = Some(&scope.name);
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use signet_oidc::{id::RealmId, policy::Policy};

    use super::*;
    use crate::admin::resources::ScopeView;

    fn realm() -> Realm {
        Realm {
            id: RealmId(1),
            issuer: "https://id.example".to_owned(),
            development: false,
            registration_open: false,
            clients_register: false,
            policy: Policy::default(),
        }
    }

    fn good() -> NewResource {
        let scope = |name: &str| ScopeView { name: name.to_owned(), description: String::new() };
        NewResource {
            identifier: "https://api.example".to_owned(),
            name: " Invoices ".to_owned(),
            scopes: vec![scope("invoice:write"), scope("invoice:read")],
            access_token_seconds: Some(60),
            access_token_alg: None,
        }
    }

    /// values are stored trimmed and sorted; each that is wrong is named.
    #[test]
    fn values_are_checked() {
        let stored = check_values(good(), &realm()).unwrap();
        assert_eq!(stored.name, "Invoices");
        assert_eq!(stored.scopes[0].name, "invoice:read");
        let scope = |name: &str, description: &str| {
            vec![ScopeView { name: name.to_owned(), description: description.to_owned() }]
        };
        let twice = [scope("a", ""), scope("a", "")].concat();
        for (bad, field) in [
            (NewResource { identifier: String::new(), ..good() }, "identifier"),
            (NewResource { identifier: "invoices".to_owned(), ..good() }, "identifier"),
            (NewResource { identifier: "https://api.example/#x".to_owned(), ..good() }, "identifier"),
            (NewResource { identifier: "https://id.example".to_owned(), ..good() }, "identifier"),
            (NewResource { name: "  ".to_owned(), ..good() }, "name"),
            (NewResource { access_token_seconds: Some(59), ..good() }, "access_token_seconds"),
            (NewResource { access_token_seconds: Some(3_601), ..good() }, "access_token_seconds"),
            (NewResource { scopes: scope("a b", ""), ..good() }, "scopes"),
            (NewResource { scopes: scope("", ""), ..good() }, "scopes"),
            (NewResource { scopes: scope("openid", ""), ..good() }, "scopes"),
            (NewResource { scopes: scope("a", "\n"), ..good() }, "scopes"),
            (NewResource { scopes: scope("a", "x\ny"), ..good() }, "scopes"),
            (NewResource { scopes: twice, ..good() }, "scopes"),
        ] {
            match check_values(bad.clone(), &realm()) {
                Err(AdminError::Invalid(refusal)) => assert_eq!(refusal.field, Some(field), "{bad:?}"),
                Ok(stored) => assert_eq!(stored.scopes[0].description, "", "trimmed: {bad:?}"),
                Err(other) => panic!("{bad:?}: {other}"),
            }
        }
    }
}
