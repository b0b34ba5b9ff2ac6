//! Name constraints: the names that a CA may certify (RFC 5280 section 4.2.1.10), by the rules of OpenSSL.
//!
//! The names of signers' certificates are not compared with anything, but a chain that breaks the limits of its own CA is
//! refused by the reference, and one that keeps them is accepted. What OpenSSL and this code could understand
//! differently is refused.

use std::ops::ControlFlow;

use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Name;

use super::error::ChainError;
use super::limits::Limits;
use super::name;
use super::parsed::Certificate;

/// `SmtpUTF8Mailbox`: an e-mail address in the form of an otherName, which limits on addresses hold for as well.
const SMTP_UTF8_MAILBOX: &str = "1.3.6.1.5.5.7.8.9";

/// Most comparisons for one certificate and one CA: OpenSSL's limit.
const MAX_COMPARISONS: usize = 1 << 20;

/// Checks every certificate of a path against the limits of all those above it.
pub(super) fn check(path: &[&Certificate<'_>]) -> Result<(), ChainError> {
    for (depth, certificate) in path.iter().enumerate() {
        // Roll-over certificates of a CA may have its own name.
        if depth > 0 && certificate.is_self_issued() {
            continue;
        }
        for issuer in path.iter().skip(depth + 1) {
            let Some(limits) = &issuer.limits else {
                continue;
            };
            check_one(certificate, limits, depth == 0).map_err(|broken| match broken {
                Broken::NotEvaluated => ChainError::NameConstraints {
                    subject: issuer.shown(),
                },
                Broken::Outside(name) => ChainError::NameOutside {
                    subject: certificate.shown(),
                    name,
                    issuer: issuer.shown(),
                },
            })?;
        }
    }
    Ok(())
}

enum Broken {
    /// Something that OpenSSL does not evaluate either, or that it might evaluate otherwise.
    NotEvaluated,
    /// This name, for a message.
    Outside(String),
}

fn check_one(
    certificate: &Certificate<'_>,
    limits: &Limits<'_>,
    is_leaf: bool,
) -> Result<(), Broken> {
    let subject = certificate.x509.subject();
    let names = &certificate.alternative_names;
    let attributes = subject.iter_attributes().count();
    let subtrees = limits.permitted().len() + limits.excluded().len();
    let comparisons = (names.len() + attributes + 1).saturating_mul(subtrees);
    if !limits.is_plain || comparisons > MAX_COMPARISONS {
        return Err(Broken::NotEvaluated);
    }
    if attributes > 0 {
        check_name(&Name::Directory(subject), limits)?;
    }
    for address in name::texts(subject, name::EMAIL_ADDRESS) {
        check_name(&Name::Email(address.ok_or(Broken::NotEvaluated)?), limits)?;
    }
    for general in names {
        check_name(&Name::of(general), limits)?;
    }
    let has_host = |name: &GeneralName<'_>| matches!(name, GeneralName::DNSName(_));
    if is_leaf && !names.iter().any(has_host) {
        // Before there were alternative names, the common name was a host.
        for common_name in name::texts(subject, name::COMMON_NAME) {
            let Some(text) = common_name.map(|text| text.trim_end_matches('\0')) else {
                check_name(&Name::Unknown(Kind::Host), limits)?;
                continue;
            };
            if text.contains('\0') {
                return Err(Broken::NotEvaluated);
            }
            if is_host(text) {
                check_name(&Name::Host(text), limits)?;
            }
        }
    }
    Ok(())
}

/// A name of a certificate, or of a subtree.
enum Name<'n, 'a> {
    Directory(&'n X509Name<'a>),
    Email(&'n str),
    Host(&'n str),
    Uri(&'n str),
    Address(&'n [u8]),
    /// It has a kind and cannot be compared.
    Unknown(Kind),
    /// Nothing is known of it.
    Unreadable,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Directory,
    Email,
    Host,
    Uri,
    Address,
    Other,
}

impl<'n, 'a> Name<'n, 'a> {
    fn of(name: &'n GeneralName<'a>) -> Self {
        match name {
            GeneralName::DirectoryName(name) => Self::Directory(name),
            GeneralName::RFC822Name(text) => Self::Email(text),
            GeneralName::DNSName(text) => Self::Host(text),
            GeneralName::URI(text) => Self::Uri(text),
            GeneralName::IPAddress(bytes) => Self::Address(bytes),
            GeneralName::OtherName(oid, _) if oid.to_id_string() == SMTP_UTF8_MAILBOX => {
                Self::Unknown(Kind::Email)
            }
            GeneralName::OtherName(..)
            | GeneralName::X400Address(_)
            | GeneralName::EDIPartyName(_)
            | GeneralName::RegisteredID(_) => Self::Unknown(Kind::Other),
            GeneralName::Invalid(..) => Self::Unreadable,
        }
    }

    fn kind(&self) -> Option<Kind> {
        Some(match self {
            Self::Directory(_) => Kind::Directory,
            Self::Email(_) => Kind::Email,
            Self::Host(_) => Kind::Host,
            Self::Uri(_) => Kind::Uri,
            Self::Address(_) => Kind::Address,
            Self::Unknown(kind) => *kind,
            Self::Unreadable => return None,
        })
    }

    fn shown(&self) -> String {
        let text = match self {
            Self::Directory(name) => return name::shown(name),
            Self::Email(text) | Self::Host(text) | Self::Uri(text) => text,
            Self::Address(bytes) => return format!("the address {bytes:?}"),
            Self::Unknown(_) | Self::Unreadable => "a name",
        };
        format!("{:?}", crate::json::excerpt(text))
    }

    /// Whether it is in the subtree of a base of its kind; `None` if that cannot be determined.
    fn is_below(&self, base: &Self) -> Option<bool> {
        match (self, base) {
            (Self::Directory(name), Self::Directory(base)) => name::begins_with(name, base),
            (Self::Email(address), Self::Email(base)) => is_address_below(address, base),
            (Self::Host(host), Self::Host(base)) => Some(is_host_below(host, base)),
            (Self::Uri(uri), Self::Uri(base)) => Some(is_domain_below(host_of(uri)?, base)),
            (Self::Address(address), Self::Address(base)) => is_address_in(address, base),
            _ => None,
        }
    }
}

/// If there are permitted subtrees of the name's kind, it must be in one of them; and it must be in none of the
/// excluded ones.
fn check_name(name: &Name<'_, '_>, limits: &Limits<'_>) -> Result<(), Broken> {
    let Some(kind) = name.kind() else {
        return Err(Broken::NotEvaluated);
    };
    let mut is_limited = false;
    let mut is_permitted = false;
    for (permits, subtree) in (limits.permitted().iter().map(|subtree| (true, subtree)))
        .chain(limits.excluded().iter().map(|subtree| (false, subtree)))
    {
        let base = Name::of(&subtree.base);
        if base.kind().ok_or(Broken::NotEvaluated)? != kind {
            continue;
        }
        let is_below = name.is_below(&base).ok_or(Broken::NotEvaluated)?;
        if permits {
            is_limited = true;
            is_permitted |= is_below;
        } else if is_below {
            return Err(Broken::Outside(name.shown()));
        }
    }
    if is_limited && !is_permitted {
        return Err(Broken::Outside(name.shown()));
    }
    Ok(())
}

/// `example.com` holds itself and what is below it; `.example.com` only that; nothing holds everything.
fn is_host_below(host: &str, base: &str) -> bool {
    let (host, base) = (host.as_bytes(), base.as_bytes());
    let Some((above, end)) = host
        .len()
        .checked_sub(base.len())
        .and_then(|at| host.split_at_checked(at))
    else {
        return false;
    };
    let at_a_dot = above.is_empty() || base.first() == Some(&b'.') || above.last() == Some(&b'.');
    base.is_empty() || (at_a_dot && end.eq_ignore_ascii_case(base))
}

/// A mailbox, all of a host (`example.com`), or all of the hosts below a domain (`.example.com`).
fn is_address_below(address: &str, base: &str) -> Option<bool> {
    let (local, host) = address.rsplit_once('@')?;
    let (wanted, domain) = match base.rsplit_once('@') {
        Some(mailbox) => mailbox,
        None if base.starts_with('.') => return Some(is_domain_below(address, base)),
        None => ("", base),
    };
    let is_local = wanted.is_empty() || wanted == local;
    Some(is_local && host.eq_ignore_ascii_case(domain))
}

/// Exactly a host, or with a dot in front all of those below a domain.
fn is_domain_below(host: &str, base: &str) -> bool {
    if base.starts_with('.') {
        host.len() > base.len() && is_host_below(host, base)
    } else {
        host.eq_ignore_ascii_case(base)
    }
}

/// The host of a URI of the plainest kind: what else there can be, parsers see differently.
fn host_of(uri: &str) -> Option<&str> {
    let (scheme, rest) = uri.split_once("://")?;
    let mut letters = scheme.bytes();
    let is_scheme = letters.next()?.is_ascii_alphabetic()
        && letters.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = match authority.split_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some(_) => return None,
        None => authority,
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    (is_scheme && !host.is_empty() && host.bytes().all(is_plain)).then_some(host)
}

/// An address of IP, and one with a mask after it.
fn is_address_in(address: &[u8], base: &[u8]) -> Option<bool> {
    if !matches!(address.len(), 4 | 16) || !matches!(base.len(), 8 | 32) {
        return None;
    }
    let (network, mask) = base.split_at(base.len() / 2);
    let mut bytes = address.iter().zip(network.iter().zip(mask));
    Some(
        network.len() == address.len() && bytes.all(|(byte, (net, mask))| (byte ^ net) & mask == 0),
    )
}

/// Whether a common name could be that of a host: two or more labels.
fn is_host(text: &str) -> bool {
    let bytes = text.as_bytes();
    let last = bytes.len().saturating_sub(1);
    let at = |index: usize| bytes.get(index).copied();
    let found = bytes
        .iter()
        .enumerate()
        .try_fold(false, |dotted, (index, byte)| {
            let is_inside = index > 0 && index < last;
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => ControlFlow::Continue(dotted),
                b'-' if is_inside => ControlFlow::Continue(dotted),
                b'.' if is_inside
                    && !matches!(at(index + 1), Some(b'.' | b'-'))
                    && at(index - 1) != Some(b'-') =>
                {
                    ControlFlow::Continue(true)
                }
                _ => ControlFlow::Break(()),
            }
        });
    found == ControlFlow::Continue(true)
}
