//! The guard against requests into private networks (server-side request forgery).
//!
//! A webhook's URL is configuration, but often not written by whoever runs the monitor, and its
//! host's addresses are the choice of whoever owns that name. The addresses are judged where they
//! are resolved for connecting, so that a name that answers differently the second time (DNS
//! rebinding) gains nothing.

use std::collections::BTreeSet;
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Which hosts a request may lead to.
#[derive(Clone, Debug, Default)]
pub struct AddressPolicy {
    private_hosts: BTreeSet<String>,
}

impl AddressPolicy {
    /// Only hosts that have nothing but public addresses.
    pub fn public_only() -> Self {
        Self::default()
    }

    /// As [`public_only`](Self::public_only), but the hosts with these names, or literal addresses,
    /// may be anywhere. Compared without regard to case; no wildcards.
    pub fn allowing<I>(hosts: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        Self {
            private_hosts: hosts.into_iter().map(|h| plain(h.as_ref())).collect(),
        }
    }

    pub(super) fn allows_by_name(&self, url: &Url) -> bool {
        url.host_str()
            .is_some_and(|host| self.private_hosts.contains(&plain(host)))
    }
}

/// A host name without what does not tell hosts apart: case, the root's dot, an address's brackets.
fn plain(host: &str) -> String {
    let host = host.trim_end_matches('.');
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .to_ascii_lowercase()
}

/// The address in `url`, if it names one that is not public. HTTP clients do not ask a resolver
/// for literal addresses, so they need this look of their own.
pub(super) fn forbidden_literal(url: &Url) -> Option<IpAddr> {
    let address = match url.host()? {
        Host::Domain(_) => return None,
        Host::Ipv4(v4) => IpAddr::V4(v4),
        Host::Ipv6(v6) => IpAddr::V6(v6),
    };
    (!is_public(address)).then_some(address)
}

/// A resolver that answers only for hosts whose every address is public.
#[derive(Debug)]
pub(super) struct PublicResolver;

/// Says inside of reqwest's error what the guard saw.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not a public address")]
pub(super) struct Refused(pub(super) IpAddr);

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // Port 0 is replaced by the URL's or the scheme's.
            let addresses: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            // One private address among public ones is no accident to be worked around.
            match addresses.iter().find(|a| !is_public(a.ip())) {
                Some(private) => {
                    Err(Box::new(Refused(private.ip())) as Box<dyn Error + Send + Sync>)
                }
                None => Ok(Box::new(addresses.into_iter()) as Addrs),
            }
        })
    }
}

/// Whether `address` is a globally reachable unicast address (IANA special-purpose registries,
/// RFC 6890 and its updates).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !matches!(
        address.octets(),
        [0 | 10 | 127 | 224..=255, ..]     // this network, private, loopback, multicast and reserved
            | [100, 64..=127, ..]          // carrier-grade NAT
            | [169, 254, ..]               // link-local: cloud metadata services
            | [172, 16..=31, ..]           // private
            | [192, 0, 0 | 2, _]           // protocol assignments, documentation
            | [192, 88, 99, _]             // 6to4 relays
            | [192, 168, ..]               // private
            | [198, 18 | 19, ..]           // benchmarking
            | [198, 51, 100, _]            // documentation
            | [203, 0, 113, _] // documentation
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // NAT64 (RFC 6052): behind it is the IPv4 address in the last 32 bits.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // Protocol assignments (Teredo, benchmarking, ORCHID), documentation twice, and 6to4, which
        // carries an IPv4 address of the sender's choice.
        [0x2001, 0..=0x01ff | 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] | [0x2002, ..] => false,
        // Global unicast. All else is reserved: unspecified, loopback, IPv4-mapped, unique-local,
        // link-local, multicast.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use super::*;

    #[test]
    fn only_global_unicast_is_public() {
        for (address, public) in [
            ("8.8.8.8", true),
            ("100.63.0.1", true),
            ("172.32.0.1", true),
            ("192.0.1.1", true),
            ("223.255.255.255", true),
            ("0.0.0.0", false),
            ("10.1.2.3", false),
            ("100.64.0.1", false),
            ("100.127.255.255", false),
            ("127.0.0.1", false),
            ("127.8.8.8", false),
            ("169.254.169.254", false),
            ("172.16.0.1", false),
            ("172.31.255.255", false),
            ("192.0.0.1", false),
            ("192.0.2.1", false),
            ("192.168.0.1", false),
            ("198.19.0.1", false),
            ("198.51.100.7", false),
            ("203.0.113.7", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("2606:4700::1111", true),
            ("2a00:1450::1", true),
            ("64:ff9b::8.8.8.8", true),
            ("64:ff9b::10.0.0.1", false),
            ("64:ff9b:1::8.8.8.8", false),
            ("::", false),
            ("::1", false),
            ("::ffff:8.8.8.8", false),
            ("::ffff:127.0.0.1", false),
            ("::127.0.0.1", false),
            ("fc00::1", false),
            ("fd12:3456::1", false),
            ("fe80::1", false),
            ("fec0::1", false),
            ("ff02::1", false),
            ("2001::1", false),
            ("2001:db8::1", false),
            ("2002:7f00:1::", false),
            ("3fff:1::", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
        }
    }

    #[test]
    fn a_literal_private_address_is_seen_in_every_spelling() {
        for url in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://[::1]/",
            "http://[::ffff:169.254.169.254]/",
            "http://127.1:8080/",
        ] {
            assert!(
                forbidden_literal(&Url::parse(url).unwrap()).is_some(),
                "{url}"
            );
        }
        for url in [
            "http://8.8.8.8/",
            "http://localhost/",
            "http://127.0.0.1.example/",
        ] {
            assert_eq!(forbidden_literal(&Url::parse(url).unwrap()), None, "{url}");
        }
    }

    #[test]
    fn hosts_are_allowed_by_their_whole_name() {
        let policy = AddressPolicy::allowing(["Chat.Corp.example", "10.0.0.7", "[fd00::7]"]);
        for (url, allowed) in [
            ("https://chat.corp.example/hook", true),
            ("https://chat.corp.example./hook", true),
            ("https://CHAT.corp.example/hook", true),
            ("https://10.0.0.7/", true),
            ("https://[fd00::7]/", true),
            ("https://evil-chat.corp.example/", false),
            ("https://chat.corp.example.evil.example/", false),
            ("https://10.0.0.8/", false),
        ] {
            assert_eq!(
                policy.allows_by_name(&Url::parse(url).unwrap()),
                allowed,
                "{url}"
            );
        }
    }
}
