//! The two spellings of a name in protobuf's JSON mapping.

/// Whether `key` is `name`, which is in camelCase, or its snake_case form.
pub(super) fn spells(key: &str, name: &str) -> bool {
    if key == name {
        return true;
    }
    let mut rest = key.chars();
    name.chars().all(|c| {
        if c.is_ascii_uppercase() {
            rest.next() == Some('_') && rest.next() == Some(c.to_ascii_lowercase())
        } else {
            rest.next() == Some(c)
        }
    }) && rest.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_two_spellings_and_no_third() {
        for (key, name, is) in [
            ("logIndex", "logIndex", true),
            ("log_index", "logIndex", true),
            ("log_Index", "logIndex", false),
            ("logindex", "logIndex", false),
            ("logIndex_", "logIndex", false),
            ("log_index2", "logIndex", false),
            ("log", "logIndex", false),
            ("", "logIndex", false),
            ("x509_certificate_chain", "x509CertificateChain", true),
            ("keyid", "keyid", true),
        ] {
            assert_eq!(spells(key, name), is, "{key} for {name}");
        }
    }
}
