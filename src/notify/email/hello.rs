//! The name that a mail server is greeted with (RFC 5321 §4.1.1.1).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::str::FromStr;

use lettre::transport::smtp::extension::ClientId;
use url::Host;

/// Longest domain name, in bytes (RFC 1035 §2.3.4).
const MAX_NAME_BYTES: usize = 255;

/// A name for EHLO: a domain name, or an address in brackets (`[192.0.2.1]`, `[IPv6:2001:db8::1]`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelloName(String);

/// Not a name for EHLO.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a host name nor an address in brackets")]
pub struct HelloNameError(String);

impl FromStr for HelloName {
    type Err = HelloNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_address = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'))
            .is_some_and(|inside| match inside.strip_prefix("IPv6:") {
                Some(v6) => matches!(v6.parse(), Ok(IpAddr::V6(_))),
                None => matches!(inside.parse(), Ok(IpAddr::V4(_))),
            });
        // No other character may follow EHLO on its line.
        let is_name = !text.is_empty()
            && text.len() <= MAX_NAME_BYTES
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
            && !text.starts_with(['.', '-']);
        if is_address || is_name {
            Ok(Self(text.to_owned()))
        } else {
            Err(HelloNameError(text.to_owned()))
        }
    }
}

impl fmt::Display for HelloName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The names to try, in this order: if the server refuses one, it may accept the next.
///
/// The configured name, if there is one. Then the name of this machine, completed with the sender's domain if it has
/// none. Then the address of this machine from which `server` gets the connection, which the RFC allows without a name.
/// Then the sender's domain, which has a DNS entry if mail works.
pub(super) fn names(
    configured: Option<&HelloName>,
    machine: Option<&str>,
    sender_domain: &str,
    server: Option<SocketAddr>,
) -> Vec<ClientId> {
    let domain = Host::parse(sender_domain).map(|host| host.to_string()).ok();
    let machine = machine.and_then(|name| qualified(name, domain.as_deref()));
    let mut names: Vec<ClientId> = Vec::new();
    let candidates = [
        configured.map(|name| ClientId::Domain(name.0.clone())),
        machine.map(ClientId::Domain),
        Some(address(server)),
        domain.map(ClientId::Domain),
    ];
    for name in candidates.into_iter().flatten() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The name of this machine with a domain; `None` if it cannot be one.
fn qualified(machine: &str, domain: Option<&str>) -> Option<String> {
    let machine = machine.trim_end_matches('.').to_ascii_lowercase();
    let is_local = machine == "localhost" || machine.starts_with("localhost.");
    if is_local || machine.parse::<HelloName>().is_err() || machine.contains('_') {
        return None;
    }
    if machine.contains('.') {
        return Some(machine);
    }
    domain.map(|domain| format!("{machine}.{domain}"))
}

/// The address of this machine towards `server`. No data is sent to find it.
fn address(server: Option<SocketAddr>) -> ClientId {
    let own = server.and_then(|server| {
        let any: SocketAddr = if server.is_ipv4() {
            (Ipv4Addr::UNSPECIFIED, 0).into()
        } else {
            (std::net::Ipv6Addr::UNSPECIFIED, 0).into()
        };
        let socket = UdpSocket::bind(any).ok()?;
        socket.connect(server).ok()?;
        Some(socket.local_addr().ok()?.ip())
    });
    match own {
        Some(IpAddr::V4(v4)) => ClientId::Ipv4(v4),
        Some(IpAddr::V6(v6)) => ClientId::Ipv6(v6),
        None => ClientId::Ipv4(Ipv4Addr::LOCALHOST),
    }
}

/// The name that the system has for this machine.
pub(super) fn machine() -> Option<String> {
    match ClientId::default() {
        ClientId::Domain(name) => Some(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(configured: Option<&str>, machine: Option<&str>, domain: &str) -> Vec<String> {
        let configured = configured.map(|name| name.parse().expect("a name"));
        let names = names(configured.as_ref(), machine, domain, None);
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_default_name_is_fully_qualified_and_an_address_comes_after_it() {
        let literal = "[127.0.0.1]";
        for (machine, domain, expected) in [
            (
                Some("watch.corp.example"),
                "mail.example",
                vec!["watch.corp.example", literal, "mail.example"],
            ),
            (
                Some("4f2a9c"),
                "mail.example",
                vec!["4f2a9c.mail.example", literal, "mail.example"],
            ),
            (
                Some("localhost.localdomain"),
                "mail.example",
                vec![literal, "mail.example"],
            ),
            (
                Some("my_laptop"),
                "mail.example",
                vec![literal, "mail.example"],
            ),
            (
                Some("a b\r\nRSET"),
                "mail.example",
                vec![literal, "mail.example"],
            ),
            (
                None,
                "b\u{fc}cher.example",
                vec![literal, "xn--bcher-kva.example"],
            ),
        ] {
            assert_eq!(tried(None, machine, domain), expected, "{machine:?}");
        }
        assert_eq!(
            tried(Some("mx.example"), Some("a.example"), "example"),
            ["mx.example", "a.example", literal, "example"]
        );
    }

    #[test]
    fn a_name_is_a_host_name_or_an_address_in_brackets() {
        for good in [
            "watch.example",
            "watch",
            "[192.0.2.1]",
            "[IPv6:2001:db8::1]",
        ] {
            assert!(good.parse::<HelloName>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "a b",
            "a\r\nRSET",
            "192.0.2.1]",
            "[2001:db8::1]",
            "[watch.example]",
            ".example",
            "b\u{fc}cher.example",
            &"a".repeat(256),
        ] {
            assert!(bad.parse::<HelloName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_address_is_the_one_that_the_server_sees() {
        let server: SocketAddr = "127.0.0.1:25".parse().expect("an address");
        assert_eq!(address(Some(server)).to_string(), "[127.0.0.1]");
    }
}
