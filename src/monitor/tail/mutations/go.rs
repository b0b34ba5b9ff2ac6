//! How programs in Go read the signers of an entry, by the rules of `tests/data/go-reading.md`. It is deliberately
//! simple, and shares no code with the program that it is compared with.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, NO_PAD, PAD};

/// J8, but with less depth than the stack of a test allows: no mutation nests more deeply.
const MAX_DEPTH: usize = 200;

/// B2.
const fn engine(
    alphabet: &base64::alphabet::Alphabet,
    padding: GeneralPurposeConfig,
) -> GeneralPurpose {
    GeneralPurpose::new(alphabet, padding.with_decode_allow_trailing_bits(true))
}

const STANDARD_PADDED: GeneralPurpose = engine(&STANDARD, PAD);
const URL_SAFE_PADDED: GeneralPurpose = engine(&URL_SAFE, PAD);
const STANDARD_BARE: GeneralPurpose = engine(&STANDARD, NO_PAD);
const URL_SAFE_BARE: GeneralPurpose = engine(&URL_SAFE, NO_PAD);

/// The DER of every certificate or key that a program in Go reads as a signer of the entry.
pub(super) fn signers(leaf: &[u8]) -> Vec<Vec<u8>> {
    // J1.
    let Some((entry, _)) = Json::read(leaf, MAX_DEPTH) else {
        return Vec::new();
    };
    let top = [&entry];
    let kinds = texts(&members(&top, "kind"));
    let spec = members(&top, "spec");
    let path = |names: &[&str]| {
        names
            .iter()
            .fold(spec.clone(), |at, name| members(&at, name))
    };
    let mut keys = Vec::new();
    for kind in &kinds {
        match *kind {
            // E1.
            "hashedrekord" => keys.extend(texts(&path(&["signature", "publicKey", "content"]))),
            // E2.
            "dsse" => keys.extend(texts(&path(&["signatures", "verifier"]))),
            // E3, E4.
            "intoto" => {
                keys.extend(texts(&path(&[
                    "content",
                    "envelope",
                    "signatures",
                    "publicKey",
                ])));
                keys.extend(texts(&path(&["publicKey"])));
            }
            _ => {}
        }
    }
    let mut signers: Vec<Vec<u8>> = Vec::new();
    for key in keys {
        for bytes in base64_field(key) {
            signers.extend(public_key(&bytes));
        }
    }
    if kinds.contains(&"hashedrekord") {
        // E5.
        let entry = proto_members(&spec, "hashedRekordV002", "hashed_rekord_v002");
        let signature = proto_members(&entry, "signature", "signature");
        let verifier = proto_members(&signature, "verifier", "verifier");
        for (camel, snake) in [
            ("x509Certificate", "x509_certificate"),
            ("publicKey", "public_key"),
        ] {
            let key = proto_members(&verifier, camel, snake);
            for text in texts(&proto_members(&key, "rawBytes", "raw_bytes")) {
                signers.extend(proto_bytes(text));
            }
        }
    }
    signers.sort_unstable();
    signers.dedup();
    signers
}

#[derive(Debug)]
enum Json {
    Text(String),
    List(Vec<Json>),
    Map(Vec<(String, Json)>),
    Other,
}

/// J5, J6, J7: the values of all members whose name folds to this one, in lists too.
fn members<'a>(values: &[&'a Json], name: &str) -> Vec<&'a Json> {
    find(values, &|member| folded(member) == folded(name))
}

/// R1.
fn proto_members<'a>(values: &[&'a Json], camel: &str, snake: &str) -> Vec<&'a Json> {
    find(values, &|member| member == camel || member == snake)
}

fn find<'a>(values: &[&'a Json], is_it: &dyn Fn(&str) -> bool) -> Vec<&'a Json> {
    let mut found = Vec::new();
    for value in values {
        match value {
            Json::List(list) => found.extend(find(&list.iter().collect::<Vec<_>>(), is_it)),
            Json::Map(map) => found.extend(
                map.iter()
                    .filter(|(name, _)| is_it(name))
                    .map(|(_, value)| value),
            ),
            Json::Text(_) | Json::Other => {}
        }
    }
    found
}

fn folded(name: &str) -> String {
    let fold = |c: char| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    };
    name.chars().map(fold).collect()
}

fn texts<'a>(values: &[&'a Json]) -> Vec<&'a str> {
    let text = |value: &&'a Json| match value {
        Json::Text(text) => Some(text.as_str()),
        _ => None,
    };
    values.iter().filter_map(text).collect()
}

/// B1, B3.
fn base64_field(text: &str) -> Vec<Vec<u8>> {
    let lines: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    let mut read = vec![STANDARD_PADDED.decode(&lines)];
    if !lines.contains(['+', '/']) {
        read.push(URL_SAFE_PADDED.decode(&lines));
    }
    read.into_iter().flatten().collect()
}

/// R2.
fn proto_bytes(text: &str) -> Option<Vec<u8>> {
    let lines: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    let engine = match (lines.contains(['-', '_']), text.len() % 4) {
        (false, 0) => STANDARD_PADDED,
        (true, 0) => URL_SAFE_PADDED,
        (false, _) => STANDARD_BARE,
        (true, _) => URL_SAFE_BARE,
    };
    engine.decode(lines).ok()
}

/// K1, K2, K3.
fn public_key(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    for text in [bytes, bytes.trim_ascii()] {
        if let Some((label, der, rest)) = pem(text) {
            let is_known = matches!(label, b"CERTIFICATE" | b"PUBLIC KEY");
            if is_known || !rest.is_empty() {
                keys.push(der);
            }
        }
    }
    keys
}

/// P1 to P7: the label, the content and the text after them.
fn pem(text: &[u8]) -> Option<(&[u8], Vec<u8>, &[u8])> {
    let mut rest = text;
    loop {
        // P1.
        rest = match rest.strip_prefix(b"-----BEGIN ") {
            Some(after) => after,
            None => &rest[position(rest, b"\n-----BEGIN ")? + 12..],
        };
        // P2.
        let (line, after) = get_line(rest);
        rest = after;
        let Some(label) = line.strip_suffix(b"-----") else {
            continue;
        };
        // P3.
        let mut has_headers = false;
        loop {
            if rest.is_empty() {
                return None;
            }
            let (line, after) = get_line(rest);
            if !line.contains(&b':') {
                break;
            }
            has_headers = true;
            rest = after;
        }
        // P4.
        let (body, end) = if !has_headers && rest.starts_with(b"-----END ") {
            (&rest[..0], &rest[9..])
        } else {
            let Some(end) = position(rest, b"\n-----END ") else {
                continue;
            };
            (&rest[..end], &rest[end + 10..])
        };
        // P5.
        let Some(trailer) = end
            .strip_prefix(label)
            .and_then(|end| end.strip_prefix(b"-----"))
        else {
            continue;
        };
        let (trailer, tail) = get_line(trailer);
        if !trailer.is_empty() {
            continue;
        }
        // P6.
        let base64: Vec<u8> = body
            .iter()
            .copied()
            .filter(|b| !matches!(b, b' ' | b'\t' | b'\r' | b'\n'))
            .collect();
        if let Ok(der) = STANDARD_PADDED.decode(base64) {
            return Some((label, der, tail));
        }
    }
}

fn get_line(text: &[u8]) -> (&[u8], &[u8]) {
    let (line, rest) = match text.iter().position(|byte| *byte == b'\n') {
        Some(end) => (
            text[..end].strip_suffix(b"\r").unwrap_or(&text[..end]),
            &text[end + 1..],
        ),
        None => (text, &[][..]),
    };
    let end = line.iter().rposition(|byte| !matches!(byte, b' ' | b'\t'));
    (&line[..end.map_or(0, |end| end + 1)], rest)
}

fn position(text: &[u8], wanted: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, wanted)
}

impl Json {
    /// The first value of a text, and the text after it.
    fn read(text: &[u8], depth: usize) -> Option<(Self, &[u8])> {
        let text = text.trim_ascii_start();
        let depth = depth.checked_sub(1)?;
        match text.first()? {
            b'"' => {
                let (string, rest) = string(text)?;
                Some((Self::Text(string), rest))
            }
            b'[' => {
                let mut list = Vec::new();
                let mut rest = text[1..].trim_ascii_start();
                if let Some(rest) = rest.strip_prefix(b"]") {
                    return Some((Self::List(list), rest));
                }
                loop {
                    let (value, after) = Self::read(rest, depth)?;
                    list.push(value);
                    let after = after.trim_ascii_start();
                    match after.first()? {
                        b',' => rest = &after[1..],
                        b']' => return Some((Self::List(list), &after[1..])),
                        _ => return None,
                    }
                }
            }
            b'{' => {
                let mut map = Vec::new();
                let mut rest = text[1..].trim_ascii_start();
                if let Some(rest) = rest.strip_prefix(b"}") {
                    return Some((Self::Map(map), rest));
                }
                loop {
                    let (name, after) = string(rest.trim_ascii_start())?;
                    let after = after.trim_ascii_start().strip_prefix(b":")?;
                    let (value, after) = Self::read(after, depth)?;
                    map.push((name, value));
                    let after = after.trim_ascii_start();
                    match after.first()? {
                        b',' => rest = &after[1..],
                        b'}' => return Some((Self::Map(map), &after[1..])),
                        _ => return None,
                    }
                }
            }
            _ => {
                let end = text
                    .iter()
                    .position(|b| !(b.is_ascii_alphanumeric() || b"+-.".contains(b)));
                let (word, rest) = text.split_at(end.unwrap_or(text.len()));
                serde_json::from_slice::<serde_json::Value>(word).ok()?;
                Some((Self::Other, rest))
            }
        }
    }
}

/// J2, J3, J4.
fn string(text: &[u8]) -> Option<(String, &[u8])> {
    let mut rest = text.strip_prefix(b"\"")?;
    let mut bytes = Vec::new();
    loop {
        let (byte, after) = rest.split_first()?;
        rest = after;
        match byte {
            b'"' => return Some((String::from_utf8_lossy(&bytes).into_owned(), rest)),
            0..0x20 => return None,
            b'\\' => {
                let (escaped, after) = rest.split_first()?;
                rest = after;
                match escaped {
                    b'n' => bytes.push(b'\n'),
                    b'r' => bytes.push(b'\r'),
                    b't' => bytes.push(b'\t'),
                    b'b' => bytes.push(8),
                    b'f' => bytes.push(12),
                    b'"' | b'\\' | b'/' => bytes.push(*escaped),
                    b'u' => {
                        let unit = |text: &[u8]| {
                            let digits = std::str::from_utf8(text.get(..4)?).ok()?;
                            let plain = digits.bytes().all(|b| b.is_ascii_hexdigit());
                            u16::from_str_radix(digits, 16).ok().filter(|_| plain)
                        };
                        let first = unit(rest)?;
                        rest = &rest[4..];
                        let second = rest.strip_prefix(b"\\u").and_then(unit);
                        let pair = second.map(|second| char::decode_utf16([first, second]).next());
                        let c = match pair {
                            Some(Some(Ok(c))) if (0xd800..0xdc00).contains(&first) => {
                                rest = &rest[6..];
                                c
                            }
                            _ => char::from_u32(first.into()).unwrap_or('\u{fffd}'),
                        };
                        bytes.extend(c.encode_utf8(&mut [0; 4]).bytes());
                    }
                    _ => return None,
                }
            }
            byte => bytes.push(*byte),
        }
    }
}
