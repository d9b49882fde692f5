//! Which addresses a fetch may go to: what is not known to be public is refused (protocol O1).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where an address leads, as far as its number says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Anywhere in the Internet.
    Public,
    /// This machine or a private network; for those who set `outbound.allow_private`.
    Private,
    /// Nothing that ever serves: link-local (where clouds keep the machine's credentials), multicast, documentation,
    /// reserved.
    Nowhere,
}

/// Whether a fetch may go there; `private` is the setting `outbound.allow_private`.
pub(super) fn allowed(address: IpAddr, private: bool) -> bool {
    let reach = match address {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => reach_v6(address),
    };
    match reach {
        Reach::Public => true,
        Reach::Private => private,
        Reach::Nowhere => false,
    }
}

/// The IANA registry of special-purpose IPv4 addresses (RFC 6890), multicast (RFC 5771) and the former class E.
fn reach_v4(address: Ipv4Addr) -> Reach {
    match address.octets() {
        // Private use, loopback, carrier-grade NAT.
        [10 | 127, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Reach::Private,
        // This network, link-local, protocol assignments, documentation, 6to4 relays, benchmarks; multicast, reserved.
        [0 | 224..=255, ..]
        | [169, 254, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _] => Reach::Nowhere,
        _ => Reach::Public,
    }
}

/// RFC 4291 §2.4: only `2000::/3` is global unicast, and not all of it.
fn reach_v6(address: Ipv6Addr) -> Reach {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] | [0xfc00..=0xfdff, ..] => Reach::Private,
        // IPv4-mapped, and translated by a NAT64 (RFC 6052): on the way to an IPv4 address through somebody's network.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            match reach_v4(Ipv4Addr::new(a, b, c, d)) {
                Reach::Public | Reach::Private => Reach::Private,
                Reach::Nowhere => Reach::Nowhere,
            }
        }
        // Protocol assignments (Teredo, ORCHID, benchmarks), documentation, 6to4.
        [0x2001, 0..=0x01ff | 0x0db8, ..] | [0x2002, ..] | [0x3fff, 0..=0x0fff, ..] => Reach::Nowhere,
        [0x2000..=0x3fff, ..] => Reach::Public,
        _ => Reach::Nowhere,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: &str = "1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 \
        169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.0.3.0 192.88.98.255 192.88.100.0 \
        192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 198.51.99.255 198.51.101.0 203.0.112.255 203.0.114.0 \
        223.255.255.255 2000:: 2001:200:: 2001:db7:ffff:: 2001:db9:: 2001:4860:4860::8888 2003:: 2606:4700::1111 \
        3ffe:ffff:: 3fff:1000:: 3fff:ffff::";
    const PRIVATE: &str = "10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 127.0.0.1 127.255.255.255 172.16.0.0 \
        172.31.255.255 192.168.0.0 192.168.255.255 ::1 fc00:: fdff:ffff::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 \
        ::ffff:8.8.8.8 64:ff9b::8.8.8.8 64:ff9b::10.0.0.1";
    const NOWHERE: &str = "0.0.0.0 0.255.255.255 169.254.0.0 169.254.169.254 169.254.255.255 192.0.0.0 192.0.0.255 \
        192.0.2.1 192.88.99.1 198.18.0.0 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 \
        255.255.255.255 :: ::2 ::127.0.0.1 ::8.8.8.8 ::ffff:0:8.8.8.8 ::ffff:169.254.169.254 ::ffff:0.0.0.0 \
        64:ff9b::169.254.169.254 64:ff9b:1::a00:1 100::1 2001::1 2001:1ff:ffff:: 2001:2::1 2001:20::1 2001:db8::1 \
        2002:7f00:1:: 3fff::1 3fff:fff:ffff:: 4000:: 5f00::1 fbff:: fe00:: fe80::1 febf::1 fec0::1 ff02::1 ffff::";

    /// O1: private, loopback, link-local, shared, mapped, translated, multicast, documentation and reserved addresses
    /// are refused; the ends of each range and their neighbours.
    #[test]
    fn addresses() {
        for (list, strict, open) in [(PUBLIC, true, true), (PRIVATE, false, true), (NOWHERE, false, false)] {
            for text in list.split_ascii_whitespace() {
                let address = text.parse().unwrap();
                assert_eq!((allowed(address, false), allowed(address, true)), (strict, open), "{text}");
            }
        }
    }
}
