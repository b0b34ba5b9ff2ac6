//! Addresses of pages.

use std::fmt::Write as _;

use crate::finding::FindingId;

/// The page of a finding.
pub(super) fn finding(id: FindingId) -> String {
    format!("/findings/{id}")
}

/// The page of a log.
pub(super) fn log(name: &str) -> String {
    let mut address = "/logs/".to_owned();
    encode(&mut address, name);
    address
}

/// The page of a watch.
pub(super) fn watch(name: &str) -> String {
    let mut address = "/watches/".to_owned();
    encode(&mut address, name);
    address
}

/// The list of findings with these filters.
pub(super) fn findings(filters: &[(&str, &str)]) -> String {
    let mut address = "/findings".to_owned();
    for (place, (name, value)) in filters.iter().enumerate() {
        address.push(if place == 0 { '?' } else { '&' });
        encode(&mut address, name);
        address.push('=');
        encode(&mut address, value);
    }
    address
}

/// Every byte that is not a letter or a digit as `%` and its number (RFC 3986 §2.1), except for three that need it nowhere.
fn encode(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_value_of_the_address() {
        for (filters, address) in [
            (&[][..], "/findings"),
            (
                &[("watch", "falcon-release")],
                "/findings?watch=falcon-release",
            ),
            (
                &[("san", "a&b=c#d/../é\"<"), ("state", "open")],
                "/findings?san=a%26b%3Dc%23d%2F%2E%2E%2F%C3%A9%22%3C&state=open",
            ),
        ] {
            assert_eq!(findings(filters), address);
        }
    }
}
