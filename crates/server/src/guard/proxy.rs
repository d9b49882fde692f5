//! Trusted proxies: whose word about a client's address counts.
//!
//! Nobody's, unless `proxy.trusted` names the peer's network. Then the address comes from `Forwarded` (RFC 7239) or
//! `X-Forwarded-For`: the rightmost hop that is not itself trusted, since everything left of it was written by whoever
//! that is. Scheme and host of these headers are never used: the issuer is fixed.

use std::net::IpAddr;

use actix_web::{
    HttpRequest,
    http::header::{self, HeaderMap, HeaderName},
    web::Data,
};
use ipnet::IpNet;

use crate::app::App;

/// No chain of trusted proxies is longer.
const MOST_HOPS: usize = 16;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The networks of the proxies that are believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Believes peers in these networks.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Reads a list such as `10.0.0.0/8, 2001:db8::1`, separated by commas. The error says which part is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let networks = parts.map(|part| {
            part.parse::<IpNet>()
                .or_else(|_| part.parse::<IpAddr>().map(IpNet::from))
                .map_err(|_| format!("{part:?} is not a network such as 10.0.0.0/8 or an address"))
        });
        networks.collect::<Result<_, _>>().map(Self)
    }

    fn covers(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The client's address, given the peer of the connection and the request's headers.
    pub fn resolve(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        // A socket that takes both families shows IPv4 peers as ::ffff:a.b.c.d.
        let peer = peer.to_canonical();
        if !self.covers(peer) {
            return peer;
        }
        let standard = hops(headers, &header::FORWARDED).map(|hops| self.walk(peer, hops.into_iter().map(element)));
        let common = hops(headers, &X_FORWARDED_FOR).map(|hops| self.walk(peer, hops.into_iter().map(node)));
        match (standard, common) {
            (None, None) => peer,
            (Some(address), None) | (None, Some(address)) => address,
            // A proxy that writes one header passes the other on as the client sent it. Which is which cannot be seen
            // here, so neither counts where they differ.
            (Some(standard), Some(common)) => {
                if standard == common {
                    standard
                } else {
                    peer
                }
            }
        }
    }

    /// From the nearest hop outwards, as far as each is trusted and readable.
    fn walk(&self, peer: IpAddr, hops: impl DoubleEndedIterator<Item = Option<IpAddr>>) -> IpAddr {
        let mut nearest = peer;
        for hop in hops.rev().take(MOST_HOPS) {
            let Some(address) = hop else { break };
            nearest = address;
            if !self.covers(address) {
                break;
            }
        }
        nearest
    }
}

/// The elements of a header that may stand on several lines, in order. `None` where it is absent.
fn hops<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Vec<&'a str>> {
    let mut lines = headers.get_all(name).peekable();
    lines.peek()?;
    // A comma within quotes splits too: no address holds one, and what is cut in two reads as neither.
    Some(lines.flat_map(|line| line.to_str().unwrap_or_default().split(',')).map(str::trim).collect())
}

/// The address in an element of `Forwarded`. `None` where it is hidden, unknown, or the element is malformed.
fn element(text: &str) -> Option<IpAddr> {
    let mut found = None;
    for pair in text.split(';') {
        let (name, value) = pair.split_once('=')?;
        let name = name.trim();
        let value = value.trim();
        let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let bare = quoted.unwrap_or(value);
        // An escape or a lone quote may come from a value that was cut in two.
        if name.is_empty() || bare.contains(['"', '\\']) || (quoted.is_none() && !is_token(value)) {
            return None;
        }
        if name.eq_ignore_ascii_case("for") {
            if found.is_some() {
                return None;
            }
            found = Some(node(bare)?);
        }
    }
    found
}

/// RFC 9110 §5.6.2, and `:`, which some proxies do not quote.
fn is_token(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

/// RFC 7239 §6: an address with or without a port; IPv6 in brackets, or bare without a port.
fn node(text: &str) -> Option<IpAddr> {
    let address = if let Some(rest) = text.strip_prefix('[') {
        let (address, after) = rest.split_once(']')?;
        if !after.is_empty() && !after.strip_prefix(':').is_some_and(is_port) {
            return None;
        }
        IpAddr::V6(address.parse().ok()?)
    } else if let Ok(address) = text.parse::<IpAddr>() {
        address
    } else {
        let (address, port) = text.split_once(':')?;
        if !is_port(port) {
            return None;
        }
        IpAddr::V4(address.parse().ok()?)
    };
    Some(address.to_canonical())
}

/// A number, or an obfuscated port.
fn is_port(text: &str) -> bool {
    let rest = text.strip_prefix('_').unwrap_or(text);
    !rest.is_empty()
        && rest.len() <= 16
        && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// The address of the client that made this request, trusted proxies looked through. `None` on a Unix socket.
pub fn client_address(request: &HttpRequest) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    Some(match request.app_data::<Data<App>>() {
        Some(app) => app.proxies.load().resolve(peer, request.headers()),
        None => peer.to_canonical(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    const FORWARDED: &str = "forwarded";
    const X: &str = "x-forwarded-for";

    fn resolve(peer: &str, lines: &[(&str, &str)]) -> String {
        let trusted = TrustedProxies::parse("10.0.0.0/8, 192.0.2.7, 2001:db8:ffff::/48").unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        trusted.resolve(peer.parse().unwrap(), &headers).to_string()
    }

    /// headers of a peer that is not trusted say nothing.
    #[test]
    fn a_peer_that_is_not_trusted_is_the_client() {
        let spoofed = [(FORWARDED, "for=203.0.113.9"), (X, "203.0.113.9")];
        assert_eq!(resolve("198.51.100.1", &spoofed), "198.51.100.1");
        assert_eq!(resolve("::ffff:198.51.100.1", &spoofed), "198.51.100.1");
        assert_eq!(resolve("2001:db8::1", &spoofed), "2001:db8::1");
        let nobody = TrustedProxies::default();
        let mut headers = HeaderMap::new();
        headers.insert(X_FORWARDED_FOR, HeaderValue::from_static("203.0.113.9"));
        assert_eq!(nobody.resolve("127.0.0.1".parse().unwrap(), &headers).to_string(), "127.0.0.1");
    }

    /// of a trusted peer the rightmost hop that is not trusted counts, in every spelling of RFC 7239 §4.
    #[test]
    fn the_rightmost_hop_that_is_not_trusted() {
        for (name, value, expected) in [
            (X, "203.0.113.9", "203.0.113.9"),
            (X, "1.1.1.1, 203.0.113.9", "203.0.113.9"),
            (X, "1.1.1.1, 203.0.113.9, 10.1.2.3", "203.0.113.9"),
            (X, "10.9.9.9, 10.1.2.3", "10.9.9.9"),
            (X, "203.0.113.9:4711", "203.0.113.9"),
            (X, "2001:db8::5", "2001:db8::5"),
            (X, "[2001:db8::5]:4711", "2001:db8::5"),
            (X, "::ffff:203.0.113.9", "203.0.113.9"),
            (X, "203.0.113.9, 2001:db8:ffff::1", "203.0.113.9"),
            (FORWARDED, "for=203.0.113.9", "203.0.113.9"),
            (FORWARDED, "For=\"203.0.113.9:80\";proto=https;by=10.0.0.1", "203.0.113.9"),
            (FORWARDED, "for=\"[2001:db8::5]:_port\"", "2001:db8::5"),
            (FORWARDED, "for=1.1.1.1, host=id.example;for=203.0.113.9, for=10.1.2.3", "203.0.113.9"),
            (FORWARDED, "for=203.0.113.9:4711", "203.0.113.9"),
        ] {
            assert_eq!(resolve("10.0.0.1", &[(name, value)]), expected, "{name}: {value}");
        }
        assert_eq!(resolve("192.0.2.7", &[(X, "203.0.113.9")]), "203.0.113.9");
        assert_eq!(resolve("10.0.0.1", &[(X, "1.1.1.1"), (X, "203.0.113.9")]), "203.0.113.9");
        assert_eq!(resolve("10.0.0.1", &[]), "10.0.0.1");
    }

    /// what cannot be read ends the chain at the hop before it; nothing left of it is believed.
    #[test]
    fn what_cannot_be_read_ends_the_chain() {
        for (name, value) in [
            (X, ""),
            (X, "unknown"),
            (X, "203.0.113.9, unknown"),
            (X, "203.0.113.9, 10.1"),
            (X, "203.0.113.9:"),
            (X, "203.0.113.9:80:80"),
            (X, "[2001:db8::5"),
            (X, "[203.0.113.9]"),
            (X, "[2001:db8::5]x"),
            (FORWARDED, "for=unknown"),
            (FORWARDED, "for=_hidden"),
            (FORWARDED, "for=203.0.113.9, for=\"_gazonk\""),
            (FORWARDED, "for=203.0.113.9;for=1.1.1.1"),
            (FORWARDED, "proto=https"),
            (FORWARDED, "203.0.113.9"),
            (FORWARDED, "for=\"203.0.113.9"),
            (FORWARDED, "for=203.0.113.9\""),
            (FORWARDED, "for=203.0.113.9;host=\"a, for=6.6.6.6, b\""),
            (FORWARDED, "for=203.0.113.9;host=\"a, for=6.6.6.6\""),
            (FORWARDED, "for=203.0.113.9;host=\"a\\\", for=6.6.6.6;host=\\\"\""),
        ] {
            assert_eq!(resolve("10.0.0.1", &[(name, value)]), "10.0.0.1", "{name}: {value}");
        }
        // The open quote of a client takes nothing away from what the proxy adds.
        assert_eq!(resolve("10.0.0.1", &[(FORWARDED, "for=\""), (FORWARDED, "for=203.0.113.9")]), "203.0.113.9");
        assert_eq!(resolve("10.0.0.1", &[(X, "203.0.113.9, nonsense, 10.1.2.3")]), "10.1.2.3");
        let long = format!("203.0.113.9, {}", ["10.1.2.3"; 40].join(", "));
        assert_eq!(resolve("10.0.0.1", &[(X, &long)]), "10.1.2.3");
    }

    /// a proxy writes one of the two headers; where both are there and differ, a client wrote one.
    #[test]
    fn headers_that_contradict_each_other() {
        assert_eq!(resolve("10.0.0.1", &[(FORWARDED, "for=6.6.6.6"), (X, "203.0.113.9")]), "10.0.0.1");
        assert_eq!(resolve("10.0.0.1", &[(FORWARDED, "for=203.0.113.9"), (X, "1.1.1.1, 203.0.113.9")]), "203.0.113.9");
    }

    #[test]
    fn lists_of_networks() {
        assert!(TrustedProxies::parse("").unwrap().0.is_empty());
        assert_eq!(TrustedProxies::parse("10.0.0.0/8,::1").unwrap().0.len(), 2);
        assert!(TrustedProxies::parse("10.0.0.0/8, proxy").unwrap_err().contains("proxy"));
        assert!(TrustedProxies::parse("10.0.0.0/40").is_err());
    }
}
