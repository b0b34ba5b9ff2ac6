//! Changes to an entry: those that an attacker would make, and random ones.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// SplitMix64: the same sequence on every machine.
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).expect("64 bits")).expect("64 bits")
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

/// Changes a leaf; `other` is another signer's.
pub(super) fn change(leaf: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    match random.below(10) {
        0 => bytes(leaf, random),
        1 | 2 => members(leaf, other, random),
        3 => escapes(leaf, random),
        4 => around(leaf, other, random),
        _ => key(leaf, other, random),
    }
}

/// Some bytes, anywhere.
fn bytes(leaf: &[u8], random: &mut Random) -> Vec<u8> {
    let mut leaf = leaf.to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(leaf.len());
        let byte = random.one(&[
            &0u8, &b'"', &b'\\', &b' ', &b'{', &b',', &b'=', &b'A', &0xff, &b'\n', &b'-',
        ]);
        match random.below(3) {
            0 => leaf[at] = *byte,
            1 => leaf.insert(at, *byte),
            _ => {
                leaf.remove(at);
            }
        }
    }
    leaf
}

/// Members in another case, twice, unknown, or from the other signer's entry.
fn members(leaf: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let text = String::from_utf8_lossy(leaf).into_owned();
    let names: Vec<usize> = text.match_indices("\":").map(|(at, _)| at).collect();
    if names.is_empty() {
        return leaf.to_vec();
    }
    let end = names[random.below(names.len())];
    let Some(start) = text[..end].rfind('"').map(|at| at + 1) else {
        return leaf.to_vec();
    };
    let name = &text[start..end];
    let folded: String = name
        .chars()
        .map(|c| match (c, random.below(4)) {
            ('s' | 'S', 0) => 'ſ',
            ('k' | 'K', 0) => '\u{212a}',
            (c, 1) => c.to_ascii_uppercase(),
            (c, 2) => c.to_ascii_lowercase(),
            (c, _) => c,
        })
        .collect();
    let unknown_issuer = String::from_utf8_lossy(other).into_owned();
    let (before, after) = (&text[..start - 1], &text[end + 1..]);
    let value = match unknown_issuer.find(&format!("\"{name}\":")) {
        // The text, cut where some value ends.
        Some(at) => value(&unknown_issuer[at + name.len() + 3..]).unwrap_or("{}"),
        None => "{}",
    };
    match random.below(6) {
        0 => format!("{before}\"{folded}\"{after}"),
        1 => format!("{before}\"{folded}\":{value},\"{name}\"{after}"),
        2 => format!("{before}\"{name}\":{value},\"{folded}\"{after}"),
        3 => format!("{before}\"{name}\":{value},\"{name}\"{after}"),
        4 => format!("{before}\"new\":[1,{{\"a\":\"b\"}}],\"{name}\"{after}"),
        _ => format!("{before}\"{}\"{after}", snake(name)),
    }
    .into_bytes()
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

/// The JSON value that a text begins with.
fn value(text: &str) -> Option<&str> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
    values.next()?.ok()?;
    text.get(..values.byte_offset())
}

/// Characters of strings as escapes.
fn escapes(leaf: &[u8], random: &mut Random) -> Vec<u8> {
    let mut escaped = Vec::new();
    let often = random.one(&[&2usize, &20, &400]);
    let mut inside = false;
    for byte in leaf {
        inside ^= *byte == b'"';
        match byte {
            b'/' if inside && random.below(2) == 0 => escaped.extend(b"\\/"),
            b'A'..=b'z' if inside && *byte != b'\\' && random.below(*often) == 0 => {
                escaped.extend(format!("\\u{byte:04x}").bytes());
            }
            _ => escaped.push(*byte),
        }
    }
    escaped
}

/// The parts around the entry.
fn around(leaf: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    match random.below(6) {
        0 => [leaf, b" \n{}"].concat(),
        1 => [leaf, other].concat(),
        2 => [b" \r\n\t", leaf].concat(),
        3 => [b"[", leaf, b"]"].concat(),
        4 => leaf[..leaf.len() - 1 - random.below(20)].to_vec(),
        _ => String::from_utf8_lossy(leaf)
            .replace(':', " :\n")
            .into_bytes(),
    }
}

/// The value of a key field.
fn key(leaf: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let Some((before, text, after)) = key_field(leaf) else {
        return bytes(leaf, random);
    };
    let theirs = key_field(other)
        .and_then(|(_, text, _)| STANDARD.decode(text).ok())
        .unwrap_or_default();
    let Ok(mine) = STANDARD.decode(text) else {
        return bytes(leaf, random);
    };
    let field = if mine.starts_with(b"-----BEGIN") {
        let mut pem = pem(
            &String::from_utf8_lossy(&mine),
            &String::from_utf8_lossy(&theirs),
            random,
        );
        if random.below(4) == 0 {
            pem = self::pem(&pem, &String::from_utf8_lossy(&theirs), random);
        }
        STANDARD.encode(pem)
    } else {
        STANDARD.encode(mine)
    };
    let field = if random.below(3) == 0 {
        base64(&field, random)
    } else {
        field
    };
    [before, field.as_bytes(), after].concat()
}

/// The first field with PEM or DER in base64, and the text around it.
fn key_field(leaf: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let find = |wanted: &[u8]| {
        leaf.windows(wanted.len())
            .position(|window| window == wanted)
    };
    let start = find(b"\"LS0tLS1CRUdJTi")
        .or_else(|| find(b"\"MII"))
        .or_else(|| find(b"\"MFkw"))?
        + 1;
    let end = start + leaf[start..].iter().position(|byte| *byte == b'"')?;
    Some((&leaf[..start], &leaf[start..end], &leaf[end..]))
}

/// Base64 in another form.
fn base64(text: &str, random: &mut Random) -> String {
    let every = random.one(&[&1usize, &4, &7, &64]);
    let with = |between: &str| {
        let mut spread = String::new();
        for (at, c) in text.chars().enumerate() {
            if at > 0 && at % every == 0 {
                spread.push_str(between);
            }
            spread.push(c);
        }
        spread
    };
    match random.below(9) {
        0 => with("\\n"),
        1 => with("\\r\\n"),
        2 => with(" "),
        3 => with("\\t"),
        4 => with("~"),
        5 => text.replace('+', "-").replace('/', "_"),
        6 => text.replacen('/', "_", 3),
        7 => text.replace('=', ""),
        _ => format!("AA=={text}"),
    }
}

/// PEM in another form, with the other signer's before it, after it, or in it.
fn pem(mine: &str, theirs: &str, random: &mut Random) -> String {
    let line = random.below(mine.lines().count().max(1));
    let at_line = |with: &dyn Fn(&str) -> String| {
        let lines = mine.lines().enumerate();
        lines.map(|(at, text)| if at == line { with(text) } else { text.to_owned() } + "\n").collect::<String>()
    };
    let body = |with: &str| {
        let lines = mine.lines().map(|line| {
            if line.starts_with('-') {
                return format!("{line}\n");
            }
            let chunks = line.as_bytes().chunks(3).map(String::from_utf8_lossy);
            chunks.collect::<Vec<_>>().join(with) + "\n"
        });
        lines.collect::<String>()
    };
    match random.below(30) {
        0 => theirs.replace("END CERTIFICATE", "END NOTHING") + mine,
        1 => format!("x{theirs}{mine}"),
        2 => theirs.replace("BEGIN CERTIFICATE-----", "BEGIN CERTIFICATE-----x") + mine,
        3 => theirs.replace("END CERTIFICATE-----", "END CERTIFICATE-----x") + mine,
        4 => theirs.replace("-----END CERTIFICATE-----\n", "") + mine,
        5 => theirs.replacen("MII", "M!I", 1) + mine,
        6 => format!("{theirs}{mine}"),
        7 => format!("{mine}{theirs}"),
        8 => format!("{mine}{}", theirs.trim_start_matches('-')),
        9 => mine.replace("END CERTIFICATE", "END CERTIFICATEX") + theirs,
        10 => body(" "),
        11 => body("\t"),
        12 => body("\r"),
        13 => body("\n"),
        14 => body("\n\n"),
        15 => body("\u{b}"),
        16 => body("%"),
        17 => mine.replace("-----\nMII", "-----\nProc-Type: 4\nX: y\n\nMII"),
        18 => mine.replace("-----\nMII", "-----\nX: y\nMII"),
        19 => mine.replace('\n', "\r\n"),
        20 => mine.replace('\n', ""),
        21 => mine.replace('\n', " \n"),
        22 => format!("a text\n\n{mine}and more"),
        23 => format!(" \n{mine}\n\t\n"),
        24 => mine.trim_end().to_owned(),
        25 => mine.replace("CERTIFICATE", "CERTIFICATION"),
        26 => mine.replace('=', ""),
        27 => at_line(&|text| format!("{text} ")),
        28 => at_line(&|text| format!("{text}\n{theirs}")),
        _ => at_line(&|text| text.to_lowercase()),
    }
}
