//! Which claims about a person reach a client, and where.

use serde_json::{Map, Value, json};

use super::{ClaimRule, ClaimsRequest, by_scope, single};
use crate::{
    client::{ClaimMapping, ClaimSource, Client},
    scope::{OPENID, Scopes},
    subject::Person,
};

/// What a person allowed a client to learn.
#[derive(Debug, Clone, Copy)]
pub struct Release<'a> {
    /// Who learns it.
    pub client: &'a Client,
    /// The scopes of this answer.
    pub scopes: &'a Scopes,
    /// Single claims that were asked for.
    pub request: &'a ClaimsRequest,
}

impl Release<'_> {
    /// OIDC Core §5.3.2: what userinfo answers, `sub` left out.
    pub fn for_userinfo(&self, person: &Person) -> Map<String, Value> {
        let mut released = by_scope(&person.standard, self.scopes);
        self.custom(person, &mut released);
        self.single(self.request.userinfo.iter(), person, &mut released);
        released
    }

    /// OIDC Core §5.4, §5.5: what the ID token says of the person. The claims of scopes go there only where no access token
    /// is issued that could ask userinfo for them (protocol A13).
    pub fn for_id_token(&self, person: &Person, alone: bool) -> Map<String, Value> {
        let mut released = if alone { by_scope(&person.standard, self.scopes) } else { Map::new() };
        self.custom(person, &mut released);
        self.single(self.request.id_token.iter(), person, &mut released);
        released
    }

    /// R-48: claims of this client's own.
    fn custom(&self, person: &Person, released: &mut Map<String, Value>) {
        for (name, mapping) in &self.client.metadata.claims {
            let scope = mapping.scope.as_deref().unwrap_or(OPENID);
            if self.scopes.contains(scope)
                && let Some(value) = mapped(mapping, person)
            {
                released.insert(name.clone(), value);
            }
        }
    }

    /// OIDC Core §5.5: claims asked for one by one. What the client may not ask for today is left out.
    fn single<'r>(
        &self,
        asked: impl Iterator<Item = (&'r String, &'r Option<ClaimRule>)>,
        person: &Person,
        released: &mut Map<String, Value>,
    ) {
        if !self.scopes.contains(OPENID) {
            return;
        }
        for (name, _) in asked.filter(|(name, _)| self.client.may_ask_claim(name)) {
            let own = || mapped(self.client.metadata.claims.get(name)?, person);
            if let Some(value) = single(&person.standard, name).or_else(own) {
                released.insert(name.clone(), value);
            }
        }
    }
}

/// The value of a custom claim; none where the account has none.
fn mapped(mapping: &ClaimMapping, person: &Person) -> Option<Value> {
    match &mapping.from {
        ClaimSource::Groups => Some(json!(person.groups)),
        ClaimSource::Roles => Some(json!(person.roles)),
        ClaimSource::Metadata(path) => {
            let found = path.split('.').try_fold(&person.metadata, |value, member| value.get(member))?;
            (!found.is_null()).then(|| found.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fixtures::client, subject::StandardClaims};

    fn person() -> Person {
        Person {
            standard: StandardClaims {
                name: Some("Ada".into()),
                email: Some("ada@example.org".into()),
                ..StandardClaims::default()
            },
            groups: vec!["engineers".into()],
            metadata: json!({"hr": {"number": 7}, "nothing": null}),
            roles: vec!["user".into()],
        }
    }

    fn with_claims(claims: Value) -> Client {
        let mut client = client();
        client.scopes = "openid profile email groups".parse().unwrap();
        client.metadata.claims = serde_json::from_value(claims).unwrap();
        client
    }

    /// A12, A13: what is asked for one place does not appear in the other; scopes fill the ID token only where it is alone.
    #[test]
    fn each_place_has_its_own_claims() {
        let client = client();
        let request =
            ClaimsRequest::parse(r#"{"userinfo":{"name":null},"id_token":{"email":null,"phone_number":null}}"#)
                .unwrap();
        let scopes = "openid".parse().unwrap();
        let release = Release { client: &client, scopes: &scopes, request: &request };
        assert_eq!(Value::Object(release.for_userinfo(&person())), json!({"name": "Ada"}));
        assert_eq!(Value::Object(release.for_id_token(&person(), false)), json!({"email": "ada@example.org"}));
        let scopes = "openid profile".parse().unwrap();
        let release = Release { scopes: &scopes, ..release };
        let alone = Value::Object(release.for_id_token(&person(), true));
        assert_eq!(alone, json!({"email": "ada@example.org", "name": "Ada"}));
    }

    /// A12: a claim whose scope the client may not ask for is not released, whatever was asked for once; nor is anything
    /// without `openid`.
    #[test]
    fn claims_cannot_exceed_the_registration() {
        let client = Client { scopes: "openid profile".parse().unwrap(), ..client() };
        let request = ClaimsRequest::parse(r#"{"userinfo":{"email":{"essential":true},"name":null}}"#).unwrap();
        for (scopes, expected) in [("openid", json!({"name": "Ada"})), ("", json!({}))] {
            let scopes = scopes.parse().unwrap();
            let release = Release { client: &client, scopes: &scopes, request: &request };
            assert_eq!(Value::Object(release.for_userinfo(&person())), expected, "{scopes}");
        }
    }

    /// R-48: custom claims by client and scope, in both places; what the account does not have is left out.
    #[test]
    fn custom_claims() {
        let client = with_claims(json!({
            "groups": {"from": "groups", "scope": "groups"},
            "employee": {"from": {"metadata": "hr.number"}},
            "missing": {"from": {"metadata": "hr.name"}},
            "nothing": {"from": {"metadata": "nothing"}},
            "roles": {"from": "roles", "scope": "roles"},
        }));
        let request = ClaimsRequest::default();
        for (scopes, expected) in [
            ("openid", json!({"employee": 7})),
            ("openid groups", json!({"employee": 7, "groups": ["engineers"]})),
            ("groups", json!({"groups": ["engineers"]})),
        ] {
            let scopes = scopes.parse().unwrap();
            let release = Release { client: &client, scopes: &scopes, request: &request };
            assert_eq!(Value::Object(release.for_userinfo(&person())), expected, "{scopes}");
            assert_eq!(Value::Object(release.for_id_token(&person(), false)), expected, "{scopes}");
        }
    }
}
