//! The realm a request belongs to.

use crate::{id::RealmId, policy::Policy};

/// Issuer and policy, resolved once per request. There is one realm today.
#[derive(Debug, Clone)]
pub struct Realm {
    /// The key that every unique row begins with.
    pub id: RealmId,
    /// OIDC Discovery §3: the issuer, to the letter, without a trailing slash.
    pub issuer: String,
    /// Whether the issuer is a loopback `http` address: development.
    pub development: bool,
    /// Whether people may register by themselves.
    pub registration_open: bool,
    /// Whether clients may register themselves.
    pub clients_register: bool,
    /// Lifetimes and defaults.
    pub policy: Policy,
}

impl Realm {
    /// An absolute URL below the issuer; `path` begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    /// The audience of Signet's own REST API.
    pub fn api_audience(&self) -> String {
        self.url("/api")
    }
}

#[cfg(test)]
mod tests {
    use crate::fixtures::realm;

    #[test]
    fn addresses_lie_below_the_issuer() {
        assert_eq!(realm().url("/oauth/token"), "https://op.example/oauth/token");
        assert_eq!(realm().api_audience(), "https://op.example/api");
    }
}
