//! The results of a search, and its time limit.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};

use super::*;

/// The leaf, then everything that text in it decodes to.
fn visit_strings(leaf: &[u8], visitor: &mut dyn FnMut(&[u8])) {
    search(leaf, &mut |found| {
        if let Found::Bytes(bytes) = found {
            visitor(bytes);
        }
    });
}

fn holds(leaf: &str, literal: &str) -> bool {
    let mut found = false;
    visit_strings(leaf.as_bytes(), &mut |bytes| {
        found |= bytes
            .windows(literal.len())
            .any(|window| window == literal.as_bytes());
    });
    found
}

fn encoded(text: &str, times: usize) -> String {
    (0..times).fold(text.to_owned(), |text, _| STANDARD.encode(text))
}

#[test]
fn a_literal_is_found_three_levels_deep_and_no_deeper() {
    for times in 0..=3 {
        assert!(
            holds(
                &format!("[[[\"{}", encoded("falcon@example", times)),
                "falcon"
            ),
            "{times}"
        );
    }
    assert!(!holds(&encoded("falcon@example", 4), "falcon"));
    assert!(!holds(&encoded("falcon@example", 1), "kestrel"));
}

#[test]
fn a_literal_is_found_however_its_string_is_written() {
    let pem = encoded("a name: falcon@example", 1);
    let (first, second) = pem.split_at(12);
    let wide: String = STANDARD.encode(
        ">>>??? falcon@example"
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect::<Vec<u8>>(),
    );
    assert!(holds(&wide, "f\0a\0l\0c\0o\0n"));
    for leaf in [
        r"{\u0066alcon".to_owned(),
        r"fal\/con".replace(r"\/", ""),
        format!("-----BEGIN X-----\n{first}\n{second}\n-----END X-----"),
        format!(r"-----BEGIN X-----\r\n{first}\r\n{second}\r\n-----END X-----"),
        format!("-----BEGIN X-----\nKey: value\n\n{first}\n{second}\n"),
        format!("-----BEGIN X-----{first}{second}-----END X-----"),
        format!("{first} \t{second}"),
        format!("{first}\n\n \u{b}\u{c}{second}"),
        format!(r#"{{"a":"{first}\"{second}"}}"#),
        format!(r#"{{"a":"{first}\u0020\u2028\ud83e\udd85{second}"}}"#),
        format!("{first}%%%%~~~~****....{second}"),
        format!("AA=={first}{second}"),
        pem.replace('A', r"\u0041"),
        URL_SAFE.encode(">>>??? falcon"),
        format!(
            "{}{}",
            STANDARD_NO_PAD.encode(">>>"),
            URL_SAFE.encode("??? falcon")
        ),
        STANDARD.encode(">>>??? falcon").replace('/', r"\/"),
        STANDARD.encode("falcon").replace('=', ""),
        STANDARD.encode(format!("x{}", encoded(" >>>falcon", 1)).replace('m', "m-")),
    ] {
        assert!(holds(&leaf, "falcon"), "{leaf}");
    }
}

#[test]
fn cut_or_invalid_escapes_make_no_text() {
    for leaf in ["\\", "\\u", "\\u00", "\\uzzzz", "\\ud800", "\\u00e9"] {
        assert!(!holds(leaf, "falcon"), "{leaf}");
    }
}

#[test]
fn the_leaf_itself_comes_first_and_no_search_is_long() {
    let text = encoded(
        &"many words, and >>> ??? each in base64 again; ".repeat(200),
        3,
    );
    // Every window of eight bits of these is a character of base64.
    let again = "VVVV".repeat(20_000);
    let strings = format!("\"{}", r#"-_=ab\u0041CDEFGH","#.repeat(4000));
    for leaf in [
        text,
        again,
        strings,
        "A".repeat(1 << 18),
        "\"".repeat(1 << 18),
        "\\\\".repeat(1 << 17),
    ] {
        let (mut bytes, mut first) = (0, None);
        visit_strings(leaf.as_bytes(), &mut |found| {
            bytes += found.len();
            first.get_or_insert(found.len());
        });
        assert_eq!(first, Some(leaf.len()));
        assert!(bytes < 100 * leaf.len(), "{bytes} of {leaf:.20}");
    }
}
