//! Addresses of frames that tell clients of a sign-out (OIDC Front-Channel Logout §2, §3).

use url::Url;

use crate::{
    client::{Client, has_plain_host},
    realm::Realm,
};

/// What is shown in the frame of a client: its registered address, with `iss` and `sid` (protocol L3). None where it has
/// no such address.
pub fn frame(client: &Client, realm: &Realm, sid: &str) -> Option<Url> {
    let url = Url::parse(client.metadata.frontchannel_logout_uri.as_ref()?).ok();
    // Its origin goes into a header.
    let mut url = url.filter(has_plain_host)?;
    url.query_pairs_mut().append_pair("iss", &realm.issuer).append_pair("sid", sid);
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{client, realm};

    /// L3: `iss` and `sid` follow whatever the registered address has.
    #[test]
    fn addresses() {
        let mut client = client();
        assert_eq!(frame(&client, &realm(), "s"), None);
        for (registered, expected) in [
            ("https://app.example/out", "https://app.example/out?iss=https%3A%2F%2Fop.example&sid=a%26b"),
            ("https://app.example/out?x=1", "https://app.example/out?x=1&iss=https%3A%2F%2Fop.example&sid=a%26b"),
        ] {
            client.metadata.frontchannel_logout_uri = Some(registered.into());
            assert_eq!(frame(&client, &realm(), "a&b").unwrap().as_str(), expected);
        }
        for odd in ["https://0;report-uri/out", "https://a,b/out", "https://a'b/out", "data:text/html,x", "no address"]
        {
            client.metadata.frontchannel_logout_uri = Some(odd.into());
            assert_eq!(frame(&client, &realm(), "s"), None, "{odd}");
        }
    }
}
