//! A sign-in that somebody else begins (OIDC Core §4).

use url::Url;

use super::is_loopback_host;
use crate::realm::Realm;

/// Names who the person signs in with; the one parameter that must be there.
pub(crate) const ISSUER: &str = "iss";

/// OIDC Core §4: where a browser is sent to begin a sign-in at an application: the registered address, its query kept, and
/// the issuer. `login_hint` and `target_link_uri` are left out: who is here, the application asks itself. None where no
/// browser is sent: https alone will do, in development http on this machine too.
pub fn initiation(registered: &str, realm: &Realm) -> Option<Url> {
    let mut url = Url::parse(registered).ok()?;
    let near = realm.development && url.scheme() == "http" && is_loopback_host(&url);
    if url.scheme() != "https" && !near {
        return None;
    }
    url.query_pairs_mut().append_pair(ISSUER, &realm.issuer);
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::realm;

    /// OIDC Core §4: the issuer is added to what is registered, and nothing else is sent.
    #[test]
    fn the_issuer_is_added() {
        let issuer = "iss=https%3A%2F%2Fop.example";
        for (registered, expected) in [
            ("https://app.example/begin", format!("https://app.example/begin?{issuer}")),
            ("https://app.example", format!("https://app.example/?{issuer}")),
            ("https://app.example/begin?", format!("https://app.example/begin?{issuer}")),
            ("https://app.example/b?a=1&b=%20x+y&c", format!("https://app.example/b?a=1&b=%20x+y&c&{issuer}")),
            ("https://app.example/b?a=1#part", format!("https://app.example/b?a=1&{issuer}#part")),
            ("https://app.example:8443/b?x=\"'<>", format!("https://app.example:8443/b?x=%22%27%3C%3E&{issuer}")),
        ] {
            let found = initiation(registered, &realm()).map(String::from);
            assert_eq!(found, Some(expected), "{registered}");
        }
    }

    /// OIDC Core §4: https alone, in development http on this machine too.
    #[test]
    fn where_no_browser_is_sent() {
        let near = Realm { development: true, ..realm() };
        for (registered, anywhere, in_development) in [
            ("https://app.example/", true, true),
            ("http://127.0.0.1:3000/", false, true),
            ("http://localhost/begin", false, true),
            ("http://app.example/", false, false),
            ("javascript:alert(1)", false, false),
            ("data:text/html,x", false, false),
            ("com.example.app:/begin", false, false),
            ("//app.example/", false, false),
            ("", false, false),
        ] {
            let found = |realm: &Realm| initiation(registered, realm).is_some();
            assert_eq!((found(&realm()), found(&near)), (anywhere, in_development), "{registered}");
        }
    }
}
