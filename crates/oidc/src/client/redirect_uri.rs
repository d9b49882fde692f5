//! What a redirect URI may be, and when one that is sent is one that is registered.

use url::Url;

use crate::error::{ErrorCode, OAuthError};

/// RFC 8252 §7.3: `http://127.0.0.1` and `http://[::1]` may differ in the port, and in nothing else.
pub(super) fn same_but_loopback_port(registered: &str, sent: &str) -> bool {
    fn split(uri: &str) -> Option<(&str, &str)> {
        let host = ["http://127.0.0.1", "http://[::1]"].into_iter().find(|host| uri.starts_with(host))?;
        let rest = uri.get(host.len()..)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (port, tail) = rest.split_at_checked(end)?;
        let good = port.is_empty() || is_port(port.strip_prefix(':')?);
        good.then_some((host, tail))
    }
    matches!((split(registered), split(sent)), (Some(a), Some(b)) if a == b)
}

/// RFC 3986 §3.2.3: a port as everybody writes it, digits alone.
fn is_port(text: &str) -> bool {
    text.starts_with(|c: char| ('1'..='9').contains(&c))
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && text.parse::<u16>().is_ok()
}

/// Whether `uri` leads to the person's own machine, where any program may listen (protocol A16).
pub fn is_local_redirect(uri: &str) -> bool {
    let Ok(url) = Url::parse(uri) else { return true };
    match url.scheme() {
        "https" => false,
        "http" => is_loopback_host(&url),
        _ => true,
    }
}

/// Whether the URL's host is this machine: `localhost`, `*.localhost`, `127.0.0.0/8` or `[::1]`.
pub fn is_loopback_host(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether the URL's host is written as hosts are: letters, digits, dashes, dots and underscores, or an address. URLs may hold
/// others, such as `;` and `,`, which mean something in the headers that name an origin.
pub fn has_plain_host(url: &Url) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    match url.host() {
        Some(url::Host::Domain(name)) => !name.is_empty() && name.bytes().all(plain),
        Some(url::Host::Ipv4(_) | url::Host::Ipv6(_)) => true,
        None => false,
    }
}

/// What answers bring to the redirect URI; a query that holds one already would make it come twice.
const ANSWER_NAMES: [&str; 9] =
    ["code", "state", "iss", "error", "error_description", "access_token", "id_token", "token_type", "session_state"];

/// Protocol R3: what a redirect URI must be to be registered.
pub fn check_redirect_uri(uri: &str) -> Result<(), OAuthError> {
    let refuse = |description| Err(OAuthError::new(ErrorCode::InvalidRequest, description));
    if uri.len() > 2_000 || !uri.bytes().all(|byte| byte.is_ascii_graphic()) {
        return refuse("a redirect URI is at most 2000 bytes of ASCII, without spaces or control characters");
    }
    let Ok(url) = Url::parse(uri) else {
        return refuse("a redirect URI must be absolute, such as https://app.example/callback");
    };
    if uri.contains('#') {
        return refuse("a redirect URI must not have a fragment");
    }
    // Programs differ in what they make of these, and so in where they lead.
    let web = matches!(url.scheme(), "http" | "https");
    let rest = uri.split_once(':').map(|(_, rest)| rest).unwrap_or_default();
    if uri.contains(['\\', '*']) || web && (!rest.starts_with("//") || rest.starts_with("///")) {
        return refuse("a redirect URI is written as in https://app.example/callback, without \\ or *");
    }
    if web && !has_plain_host(&url) {
        return refuse("the host of a redirect URI is written in letters, digits, dashes and dots");
    }
    if url.query_pairs().any(|(name, _)| ANSWER_NAMES.contains(&name.as_ref())) {
        return refuse("a redirect URI's query must not hold what answers bring, such as code, state or iss");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("a redirect URI must not carry a user name or password");
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback_host(&url) => Ok(()),
        "http" => refuse("an http redirect URI must lead to this machine (localhost, 127.0.0.1, [::1]); use https"),
        // RFC 8252 §7.1: a private-use scheme holds a domain name in reverse order, hence a dot.
        scheme if scheme.contains('.') => Ok(()),
        _ => refuse("a redirect URI must be https, loopback http, or a private-use scheme such as com.example.app:/cb"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A2: only the port of a native client's loopback URI is free.
    #[test]
    fn loopback_port() {
        let cases = [
            ("http://127.0.0.1/cb", "http://127.0.0.1:5123/cb", true),
            ("http://[::1]:1/cb?x=1", "http://[::1]:5123/cb?x=1", true),
            ("http://127.0.0.1/cb", "http://127.0.0.1:5123/cb2", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1.evil.example/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:5123@evil.example/cb", false),
            ("http://localhost/cb", "http://localhost:5123/cb", false),
            ("https://127.0.0.1/cb", "https://127.0.0.1:1/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:99999/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:+80/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:080/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:0/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:/cb", false),
        ];
        for (registered, sent, good) in cases {
            assert_eq!(same_but_loopback_port(registered, sent), good, "{registered} {sent}");
        }
    }

    /// R3: dangerous redirect URIs cannot be registered.
    #[test]
    fn redirect_uris() {
        for good in [
            "https://app.example/cb",
            "http://localhost:3000/cb",
            "com.example.app:/cb",
            "http://[::1]/cb",
            "https://a.example/?x=1",
        ] {
            assert!(check_redirect_uri(good).is_ok(), "{good}");
        }
        for bad in [
            "javascript:alert(1)",
            "data:text/html,x",
            "http://app.example/cb",
            "https://app.example/#f",
            "/cb",
            "",
            "https://u:p@app.example/cb",
            "https://app.example/\ncb",
            "file:///etc/passwd",
            "https://app.example/ü",
            "https://app.example\\@evil.example/cb",
            "https:///cb",
            "https://0;report-uri/cb",
            "https://a,b/cb",
            "https://a'b/cb",
            "https:app.example/cb",
            "https:/app.example/cb",
            "https://*.example/cb",
            "https://app.example/cb?code=1",
            "https://app.example/cb?a=1&iss=x",
        ] {
            assert!(check_redirect_uri(bad).is_err(), "{bad}");
        }
    }

    /// R3: the length has a bound, and each refusal says what to change.
    #[test]
    fn what_is_said_of_redirect_uris() {
        let long = |length: usize| format!("https://app.example/{}", "x".repeat(length - 20));
        assert!(check_redirect_uri(&long(2_000)).is_ok());
        for (uri, said) in [
            (long(2_001).as_str(), "at most 2000 bytes"),
            ("http://app.example/cb", "lead to this machine"),
            ("ftp://app.example/cb", "private-use scheme"),
            ("https://user@app.example/cb", "user name or password"),
            ("https://:secret@app.example/cb", "user name or password"),
        ] {
            let error = check_redirect_uri(uri).unwrap_err();
            assert!(error.description.contains(said), "{uri}: {}", error.description);
        }
    }

    /// A16: where any program of the person's machine may listen.
    #[test]
    fn what_is_local() {
        for (uri, local) in [
            ("https://app.example/cb", false),
            ("https://localhost/cb", false),
            ("http://app.example/cb", false),
            ("http://localhost/cb", true),
            ("http://app.localhost/cb", true),
            ("http://127.0.0.2/cb", true),
            ("http://10.0.0.1/cb", false),
            ("http://[::1]/cb", true),
            ("http://[2001:db8::1]/cb", false),
            ("com.example.app:/cb", true),
            ("no address", true),
        ] {
            assert_eq!(is_local_redirect(uri), local, "{uri}");
        }
        assert!(!is_loopback_host(&Url::parse("com.example.app:/cb").unwrap()), "no host at all");
    }
}
