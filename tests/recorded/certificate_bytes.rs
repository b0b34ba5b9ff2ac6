//! Reads certificates in the leaves of CT logs without any of the program's code.

/// Takes bytes from the beginning.
pub fn take<'a>(rest: &mut &'a [u8], bytes: usize) -> &'a [u8] {
    let (taken, after) = rest.split_at(bytes);
    *rest = after;
    taken
}

/// A number, its largest byte first.
pub fn number(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}

/// Bytes after their length, which has `prefix` bytes.
pub fn sized<'a>(rest: &mut &'a [u8], prefix: usize) -> &'a [u8] {
    let bytes = number(take(rest, prefix));
    take(rest, bytes)
}

/// The first alternative name in a certificate, found by the bytes of its extension (RFC 5280, 4.2.1.6).
pub fn name(certificate: &[u8]) -> Option<&str> {
    const EXTENSION: [u8; 5] = [0x06, 0x03, 0x55, 0x1d, 0x11];
    let at = certificate
        .windows(EXTENSION.len())
        .position(|bytes| bytes == EXTENSION)?;
    let mut rest = &certificate[at + EXTENSION.len()..];
    // Whether it is critical, then the headers of an OCTET STRING and of a SEQUENCE.
    if rest.starts_with(&[1, 1, 0xff]) {
        rest = &rest[3..];
    }
    let header = |rest: &mut &[u8]| {
        let (tag, first) = (rest[0], rest[1]);
        let (length, used) = if first == 0x81 {
            (rest[2], 3)
        } else {
            (first, 2)
        };
        assert!(first <= 0x81, "a name of 256 bytes or more");
        *rest = &rest[used..];
        (tag, usize::from(length))
    };
    assert_eq!(header(&mut rest).0, 4);
    assert_eq!(header(&mut rest).0, 0x30);
    let (tag, length) = header(&mut rest);
    // A mail address or a URI.
    let is_name = tag == 0x81 || tag == 0x86;
    is_name.then(|| std::str::from_utf8(&rest[..length]).unwrap())
}
