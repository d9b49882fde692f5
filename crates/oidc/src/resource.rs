//! APIs that access tokens are for (RFC 8707, R-47).

use chrono::Duration;

use crate::{
    call::Params,
    client::Client,
    error::{ErrorCode, OAuthError},
    jose::Alg,
    scope::{STANDARD, Scopes},
};

/// An API as decisions see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// The `aud` of its tokens.
    pub identifier: String,
    /// What can be allowed on it.
    pub scopes: Scopes,
    /// How long access tokens for it live; as everywhere when absent.
    pub lifetime: Option<Duration>,
    /// What access tokens for it are signed with; as everywhere when absent.
    pub alg: Option<Alg>,
}

/// What the registered APIs among the audience of a token ask of it. An audience that is no registered API asks nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Apis(Vec<Api>);

impl Apis {
    /// Those that are registered.
    pub fn new(apis: Vec<Api>) -> Self {
        Self(apis)
    }

    /// The shortest of their lifetimes, and never longer than `usual`'s cap.
    pub fn lifetime(&self, usual: Duration) -> Duration {
        self.0.iter().filter_map(|api| api.lifetime).min().unwrap_or(usual)
    }

    /// The algorithm that all of them that name one agree on.
    pub fn alg(&self) -> Option<Alg> {
        let mut named = self.0.iter().filter_map(|api| api.alg);
        let first = named.next()?;
        named.all(|alg| alg == first).then_some(first)
    }

    /// The scopes that are about a person, and those that one of the APIs knows, where all of the audience is registered.
    pub fn narrow(&self, scopes: &Scopes, audience: usize) -> Scopes {
        if self.0.len() < audience || self.0.is_empty() {
            return scopes.clone();
        }
        let standard = |scope: &str| STANDARD.iter().any(|(name, _)| *name == scope);
        let known = |scope: &str| self.0.iter().any(|api| api.scopes.contains(scope));
        scopes.iter().filter(|scope| standard(scope) || known(scope)).collect()
    }
}

/// RFC 8707 §2.2: the APIs a token is for: those the request asks for of what was granted, each once; without any, all that
/// was granted. Empty where nothing was: then it is the client's own audience.
///
/// `granted` is none where the client asks for itself: then it is what the registration allows. What was granted once is no
/// more than what the client may ask for today.
pub fn asked(params: &Params, client: &Client, granted: Option<&[String]>) -> Result<Vec<String>, OAuthError> {
    let left: Vec<String> =
        granted.unwrap_or_default().iter().filter(|one| client.may_use_resource(one)).cloned().collect();
    let mut asked: Vec<String> = Vec::new();
    for one in params.all("resource") {
        let allowed = match granted {
            Some([]) => client.default_audience.as_deref() == Some(one),
            Some(_) => left.iter().any(|granted| granted == one),
            None => client.may_use_resource(one),
        };
        if !allowed {
            let text = "resource is not one this token can be for";
            return Err(OAuthError::new(ErrorCode::InvalidTarget, text));
        }
        if !asked.iter().any(|known| known == one) {
            asked.push(one.to_owned());
        }
    }
    if !asked.is_empty() {
        return Ok(asked);
    }
    if left.is_empty() && granted.is_some_and(|granted| !granted.is_empty()) {
        return Err(OAuthError::invalid_grant("what this was granted for is not open to this client any more"));
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::client;

    fn api(identifier: &str, scopes: &str, seconds: Option<i64>, alg: Option<Alg>) -> Api {
        Api {
            identifier: identifier.into(),
            scopes: scopes.parse().unwrap(),
            lifetime: seconds.map(Duration::seconds),
            alg,
        }
    }

    /// lifetime, algorithm and scopes of a token follow the APIs it is for.
    #[test]
    fn what_apis_ask_of_a_token() {
        let usual = Duration::minutes(15);
        let scopes: Scopes = "openid orders invoices other".parse().unwrap();
        let none = Apis::default();
        assert_eq!((none.lifetime(usual), none.alg(), none.narrow(&scopes, 1)), (usual, None, scopes.clone()));
        let orders = api("https://orders.example", "orders", Some(60), Some(Alg::Rs256));
        let invoices = api("https://invoices.example", "invoices", Some(300), None);
        let one = Apis::new(vec![orders.clone()]);
        assert_eq!((one.lifetime(usual), one.alg()), (Duration::seconds(60), Some(Alg::Rs256)));
        assert_eq!(one.narrow(&scopes, 1).to_string(), "openid orders");
        // Beside an audience that is not registered nothing is known of the other scopes.
        assert_eq!(one.narrow(&scopes, 2), scopes);
        let both = Apis::new(vec![orders.clone(), invoices]);
        assert_eq!((both.lifetime(usual), both.alg()), (Duration::seconds(60), Some(Alg::Rs256)));
        assert_eq!(both.narrow(&scopes, 2).to_string(), "invoices openid orders");
        let differ = Apis::new(vec![orders, api("https://b.example", "", None, Some(Alg::Es256))]);
        assert_eq!(differ.alg(), None);
    }

    /// a token request gets what was granted, or what the registration allows, and nothing else.
    #[test]
    fn what_may_be_asked_for() {
        let mut client = client();
        client.default_audience = Some("https://default.example".into());
        client.metadata.resources = vec!["https://orders.example".into()];
        let ask = |query: &str, granted: Option<&[String]>| {
            asked(&Params::decode(query.as_bytes()), &client, granted).map_err(|error| error.code)
        };
        let (orders, other) = ("resource=https%3A%2F%2Forders.example", "resource=https%3A%2F%2Fother.example");
        let granted = ["https://orders.example".to_owned()];
        assert_eq!(ask("", Some(&granted)), Ok(granted.to_vec()));
        assert_eq!(ask("", Some(&[])), Ok(vec![]));
        assert_eq!(ask("", None), Ok(vec![]));
        // What was taken from the client meanwhile is gone from the grant too.
        let taken = ["https://taken.example".to_owned()];
        let both = [granted[0].clone(), taken[0].clone()];
        assert_eq!(ask("", Some(&both)), Ok(granted.to_vec()));
        assert_eq!(ask("", Some(&taken)), Err(ErrorCode::InvalidGrant));
        assert_eq!(ask("resource=https%3A%2F%2Ftaken.example", Some(&both)), Err(ErrorCode::InvalidTarget));
        assert_eq!(ask(&format!("{orders}&{orders}"), Some(&granted)), Ok(granted.to_vec()));
        assert_eq!(ask(other, Some(&granted)), Err(ErrorCode::InvalidTarget));
        assert_eq!(ask(orders, Some(&[])), Err(ErrorCode::InvalidTarget));
        assert_eq!(ask("resource=https%3A%2F%2Fdefault.example", Some(&[])).map(|asked| asked.len()), Ok(1));
        assert_eq!(ask(orders, None), Ok(granted.to_vec()));
        assert_eq!(ask(other, None), Err(ErrorCode::InvalidTarget));
    }
}
