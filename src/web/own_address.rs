//! Addresses of this server that a sign-in leads back to.

use url::form_urlencoded;

/// Longest address that a sign-in leads back to, in bytes.
const MAX_ADDRESS_BYTES: usize = 2048;

/// The address of the form for a request without a session: it leads back to where the request was for.
pub(super) fn sign_in(asked: &str) -> String {
    let mut address = "/login".to_owned();
    if asked != "/" && is_own(asked) {
        address.push_str("?to=");
        address.extend(form_urlencoded::byte_serialize(asked.as_bytes()));
    }
    address
}

/// Whether this address is a page of this server: a path with a query. Browsers take `//host` and `/\host` for another server,
/// and leave out control characters.
pub(super) fn is_own(address: &str) -> bool {
    let rest = address.strip_prefix('/');
    address.len() <= MAX_ADDRESS_BYTES
        && rest.is_some_and(|rest| !rest.starts_with('/'))
        && address.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_leads_back_to_a_page_of_this_server_and_to_no_other() {
        for (asked, form) in [
            ("/", "/login"),
            ("/findings/00ff", "/login?to=%2Ffindings%2F00ff"),
            ("/findings?a=b&c", "/login?to=%2Ffindings%3Fa%3Db%26c"),
            ("//evil.example", "/login"),
            ("/\\evil.example", "/login"),
            ("/a\tb", "/login"),
            ("https://evil.example", "/login"),
            ("", "/login"),
        ] {
            assert_eq!(sign_in(asked), form, "{asked}");
        }
        assert_eq!(sign_in(&format!("/{}", "a".repeat(2048))), "/login");
    }
}
