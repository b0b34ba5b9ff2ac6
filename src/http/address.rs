//! Checks against requests into private networks (server-side request forgery).
//!
//! A webhook's URL is configuration, but often not written by the operator of the monitor, and the owner of its host
//! name chooses the addresses. The addresses are checked where they are resolved for the connection, so that a name
//! that resolves differently the second time (DNS rebinding) has no advantage.

use std::collections::BTreeSet;
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::error::HttpError;

/// Which hosts a request may lead to: by default only those with no other than public addresses.
#[derive(Clone, Debug, Default)]
pub struct AddressPolicy {
    private_hosts: BTreeSet<String>,
    allows_private: bool,
}

impl AddressPolicy {
    /// Like the default, but the hosts with these names, or literal addresses, may have any
    /// address. Case does not count; no wildcards.
    pub fn allowing<I>(hosts: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        Self {
            private_hosts: hosts.into_iter().map(|h| plain(h.as_ref())).collect(),
            allows_private: false,
        }
    }

    /// Hosts with any address, except link-local addresses and the metadata services of clouds: these give credentials
    /// to every process of the machine.
    pub fn not_link_local() -> Self {
        Self {
            private_hosts: BTreeSet::new(),
            allows_private: true,
        }
    }

    /// Checks `url` itself: whether it names a forbidden host. A name that must be resolved is checked by [`Guard`]
    /// when it is resolved, unless a proxy resolves it.
    pub(super) fn forbids(&self, url: &Url) -> Option<HttpError> {
        if self.allows_by_name(url) {
            return None;
        }
        let guard = self.guard();
        let name = url.host_str().unwrap_or_default();
        let address = match url.host()? {
            Host::Ipv4(v4) => IpAddr::V4(v4),
            Host::Ipv6(v6) => IpAddr::V6(v6),
            Host::Domain(name) if guard == Guard::Public && is_local_name(name) => {
                IpAddr::V4(Ipv4Addr::LOCALHOST)
            }
            Host::Domain(name) if METADATA_NAMES.contains(&plain(name).as_str()) => METADATA_V4,
            Host::Domain(_) => return None,
        };
        (!guard.admits(address)).then(|| guard.refusal(name, address))
    }

    /// How resolved addresses are judged.
    pub(super) fn guard(&self) -> Guard {
        if self.allows_private {
            Guard::NotLinkLocal
        } else {
            Guard::Public
        }
    }

    pub(super) fn allows_by_name(&self, url: &Url) -> bool {
        url.host_str()
            .is_some_and(|host| self.private_hosts.contains(&plain(host)))
    }
}

/// A host name in normal form: without case, the root's dot, and the brackets of an address.
pub(super) fn plain(host: &str) -> String {
    let host = host.trim_end_matches('.');
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .to_ascii_lowercase()
}

/// Whether a URL leads to the same machine: a proxy on another machine would connect to itself.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        None => false,
        Some(Host::Domain(name)) => is_local_name(name),
        Some(Host::Ipv4(v4)) => v4.is_loopback() || v4.is_unspecified(),
        Some(Host::Ipv6(v6)) => {
            v6.is_loopback()
                || v6.is_unspecified()
                || v6
                    .to_ipv4_mapped()
                    .is_some_and(|v4: Ipv4Addr| v4.is_loopback())
        }
    }
}

/// Names of this very machine (RFC 6761 §6.3, and what systems add in `/etc/hosts`).
pub(super) fn is_local_name(name: &str) -> bool {
    let name = plain(name);
    name == "localhost"
        || name.ends_with(".localhost")
        || matches!(
            name.as_str(),
            "localhost.localdomain" | "ip6-localhost" | "ip6-loopback"
        )
}

/// A resolver that answers only for hosts whose every address is admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    /// Global unicast addresses.
    Public,
    /// Any but link-local ones and metadata services.
    NotLinkLocal,
}

impl Guard {
    fn admits(self, address: IpAddr) -> bool {
        match self {
            Self::Public => is_public(address),
            Self::NotLinkLocal => !is_link_local(address),
        }
    }

    pub(super) fn refusal(self, host: &str, address: IpAddr) -> HttpError {
        let host = host.to_owned();
        match self {
            Self::Public => HttpError::ForbiddenAddress { host, address },
            Self::NotLinkLocal => HttpError::LinkLocalAddress { host, address },
        }
    }
}

/// Carries the guard's reason inside of reqwest's error.
#[derive(Debug, thiserror::Error)]
#[error("{1} is not an allowed address")]
pub(super) struct Refused(pub(super) Guard, pub(super) IpAddr);

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = *self;
        Box::pin(async move {
            // Port 0 is replaced by the URL's or the scheme's.
            let addresses: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            // If one address among others is forbidden, the host is refused: this is no accident.
            match addresses.iter().find(|a| !guard.admits(a.ip())) {
                Some(refused) => {
                    let refused = Refused(guard, refused.ip());
                    Err(Box::new(refused) as Box<dyn Error + Send + Sync>)
                }
                None => Ok(Box::new(addresses.into_iter()) as Addrs),
            }
        })
    }
}

/// Names that the networks of clouds give to their metadata services.
const METADATA_NAMES: [&str; 4] = [
    "metadata.google.internal",
    "metadata.goog",
    "metadata",
    "instance-data",
];

/// Where nearly all of them are.
const METADATA_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));

/// Whether `address` is link-local, or that of a cloud's metadata service elsewhere; also as IPv4 in IPv6.
fn is_link_local(address: IpAddr) -> bool {
    let v6 = match address {
        IpAddr::V4(v4) => return is_link_local_v4(v4),
        IpAddr::V6(v6) => v6,
    };
    let v4 = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match v6.segments() {
        // fe80::/10; the services of AWS and of Google Cloud.
        [0xfe80..=0xfebf, ..]
        | [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]
        | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => true,
        // IPv4-mapped and -compatible, NAT64 (RFC 6052), 6to4 (RFC 3056).
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => is_link_local_v4(v4(high, low)),
        _ => false,
    }
}

fn is_link_local_v4(address: Ipv4Addr) -> bool {
    matches!(
        address.octets(),
        [169, 254, ..]                     // link-local: most metadata services
            | [100, 100, 100, 200]         // Alibaba Cloud
            | [168, 63, 129, 16]           // Azure
            | [192, 0, 0, 192] // Oracle Cloud
    )
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
        let policy = AddressPolicy::default();
        for url in [
            "http://localhost/",
            "http://LOCALHOST.:80/",
            "http://a.localhost/",
            "http://metadata.google.internal/",
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://[::1]/",
            "http://[::ffff:169.254.169.254]/",
            "http://127.1:8080/",
        ] {
            let refused = policy.forbids(&Url::parse(url).unwrap());
            assert!(
                matches!(refused, Some(HttpError::ForbiddenAddress { .. })),
                "{url}"
            );
        }
        for url in ["http://8.8.8.8/", "http://127.0.0.1.example/"] {
            assert!(policy.forbids(&Url::parse(url).unwrap()).is_none(), "{url}");
        }
    }

    #[test]
    fn a_heartbeat_may_be_private_but_neither_link_local_nor_a_metadata_service() {
        let policy = AddressPolicy::not_link_local();
        for (host, allowed) in [
            ("10.0.0.1", true),
            ("127.0.0.1", true),
            ("localhost", true),
            ("192.168.1.1", true),
            ("[fd12:3456::1]", true),
            ("[::1]", true),
            ("8.8.8.8", true),
            ("hc.example", true),
            ("169.254.169.254", false),
            ("169.254.170.2", false),
            ("2852039166", false),
            ("0xa9fea9fe", false),
            ("100.100.100.200", false),
            ("168.63.129.16", false),
            ("192.0.0.192", false),
            ("[fe80::1]", false),
            ("[fd00:ec2::254]", false),
            ("[fd20:ce::254]", false),
            ("[::ffff:169.254.169.254]", false),
            ("[64:ff9b::169.254.169.254]", false),
            ("[2002:a9fe:a9fe::]", false),
            ("metadata.google.internal", false),
            ("Metadata", false),
        ] {
            let url = Url::parse(&format!("http://{host}/")).unwrap();
            let refused = policy.forbids(&url);
            assert_eq!(refused.is_none(), allowed, "{host}");
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
