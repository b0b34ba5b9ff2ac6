//! Conditions as they are written on a command line or in an address. Errors are sentences for people.

use super::question::CertificateIs;
use crate::source::rekor_v1::EntryId;

/// Longest name or issuer to look for, in bytes: no certificate has a longer one.
const MAX_TEXT_BYTES: usize = 4096;

/// A name, a pattern or an issuer, of 1 to 4,096 bytes.
///
/// # Errors
///
/// It is empty or longer.
pub fn text(written: &str) -> Result<String, String> {
    if written.is_empty() || written.len() > MAX_TEXT_BYTES {
        return Err(format!("a text of 1 to {MAX_TEXT_BYTES} bytes is wanted"));
    }
    Ok(written.to_owned())
}

/// A commit: 40 or 64 hexadecimal digits, in lower case.
///
/// # Errors
///
/// Something else.
pub fn commit(written: &str) -> Result<String, String> {
    let is_hash =
        matches!(written.len(), 40 | 64) && written.bytes().all(|digit| digit.is_ascii_hexdigit());
    if is_hash {
        Ok(written.to_ascii_lowercase())
    } else {
        Err("a commit is 40 or 64 hexadecimal digits: `git rev-parse` prints them".to_owned())
    }
}

/// An entry: `LOG:N`, with the name or origin of the log and the index over all its trees.
///
/// # Errors
///
/// Something else.
pub fn entry(written: &str) -> Result<(String, u64), String> {
    let parts = written.rsplit_once(':').filter(|(log, _)| !log.is_empty());
    let (log, index) = parts.ok_or("write LOG:N, such as main:158")?;
    let is_number = !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
    let index = index.parse().map_err(|_| {
        if is_number {
            "the number is too large"
        } else {
            "a whole number in digits is wanted, such as 10"
        }
    })?;
    Ok((log.to_owned(), index))
}

/// An entry: its id in Rekor v1, or its leaf hash.
///
/// # Errors
///
/// Something else.
pub fn uuid(written: &str) -> Result<EntryId, String> {
    let folded = written.to_ascii_lowercase();
    folded
        .parse()
        .map_err(|_| "an id is 80 hexadecimal digits, or the 64 of a leaf hash".to_owned())
}

/// SHA-256 of a key or of a certificate, in hexadecimal digits.
///
/// # Errors
///
/// Something else.
pub fn sha256(written: &str) -> Result<[u8; 32], String> {
    let mut hash = [0; 32];
    hex::decode_to_slice(written, &mut hash)
        .map(|()| hash)
        .map_err(|_| "a SHA-256 hash has 64 hexadecimal digits".to_owned())
}

/// A certificate, by its SHA-256.
///
/// # Errors
///
/// As [`sha256`].
pub fn certificate(written: &str) -> Result<CertificateIs, String> {
    Ok(CertificateIs {
        hashes: vec![sha256(written)?],
        logged: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_a_log_and_an_index() {
        assert_eq!(entry("main:158"), Ok(("main".to_owned(), 158)));
        assert_eq!(entry("a:b:0"), Ok(("a:b".to_owned(), 0)));
        for wrong in [
            "",
            "main",
            ":1",
            "main:",
            "main:-1",
            "main:18446744073709551616",
        ] {
            assert!(entry(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn hashes_are_hexadecimal_digits_in_any_case() {
        let digits = "aB".repeat(32);
        assert_eq!(sha256(&digits), Ok([0xab; 32]));
        assert!(commit(&digits).is_ok() && uuid(&digits).is_ok());
        for wrong in ["", "ab", &"zz".repeat(32), &"é".repeat(32)] {
            assert!(
                sha256(wrong).is_err() && commit(wrong).is_err() && uuid(wrong).is_err(),
                "{wrong}"
            );
        }
    }
}
