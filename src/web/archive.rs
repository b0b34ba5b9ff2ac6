//! Files as one tar archive (POSIX.1-2017, pax, "ustar Interchange Format"), for a download.

use std::collections::BTreeMap;

/// Files are padded to whole blocks, and two empty ones end the archive.
const BLOCK: usize = 512;

/// Longest name of a file with its directory, in bytes.
const MAX_NAME: usize = 100;

/// An archive of these files in one directory; `None` if a name is too long. Each has mode 0644, no owner, and the time 0: the
/// same files are the same archive.
pub(super) fn tar(directory: &str, files: &BTreeMap<String, Vec<u8>>) -> Option<Vec<u8>> {
    let mut archive = Vec::new();
    for (name, bytes) in files {
        let path = format!("{directory}/{name}");
        archive.extend(header(&path, bytes.len())?);
        archive.extend(bytes);
        archive.resize(archive.len().next_multiple_of(BLOCK), 0);
    }
    archive.resize(archive.len() + 2 * BLOCK, 0);
    Some(archive)
}

/// The block before a file. Numbers are octal.
fn header(path: &str, size: usize) -> Option<Vec<u8>> {
    if path.len() > MAX_NAME {
        return None;
    }
    let mut block = Vec::with_capacity(BLOCK);
    let mut field = |text: &str, width: usize| {
        let end = block.len() + width;
        block.extend(text.bytes());
        block.resize(end, 0);
    };
    field(path, 100);
    field("0000644", 8);
    field("0000000", 8);
    field("0000000", 8);
    field(&format!("{size:011o}"), 12);
    field("00000000000", 12);
    // The checksum counts as spaces in its own sum.
    field("        ", 8);
    field("0", 1);
    field("", 100);
    field("ustar", 6);
    field("00", 2);
    field("", 247);
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    let checksum = format!("{sum:06o}\0 ");
    block.splice(148..156, checksum.bytes());
    Some(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_whole_blocks_and_a_long_name_is_refused() {
        let files = |name: &str| BTreeMap::from([(name.to_owned(), vec![b'x'; 513])]);
        let archive = tar("d", &files("a")).expect("a short name");
        assert_eq!(archive.len(), (1 + 2 + 2) * BLOCK);
        let (header, rest) = archive.split_at(BLOCK);
        assert!(header.starts_with(b"d/a\0"));
        assert_eq!(header.get(124..136), Some(&b"00000001001\0"[..]));
        // The checksum of a header is the sum of its bytes, with spaces in its own place.
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        let own: u32 = header
            .get(148..156)
            .map(|own| own.iter().map(|byte| u32::from(*byte)).sum())
            .expect("its place");
        let written = std::str::from_utf8(header.get(148..154).expect("its place"));
        let written = u32::from_str_radix(written.expect("digits"), 8);
        assert_eq!(written, Ok(sum - own + 8 * 32));
        assert!(rest.starts_with(&[b'x'; 513]));
        assert_eq!(tar("d", &files(&"n".repeat(99))), None);
    }
}
