//! Names of files in a model: which there can be, and the order of the reference implementation.

use std::cmp::Ordering;

/// What the reference implementation calls the file of a model that is a single file: its path relative to itself. The
/// specification has the name of the file instead (section 6.1.2).
pub const SINGLE_FILE: &str = ".";

/// Longest name, in bytes: Linux's `PATH_MAX`. No system that could hold the model has longer ones.
const MAX_NAME_BYTES: usize = 4096;

/// Why a name in a signature cannot be that of a file in the model.
///
/// The reference would read some of these as another name (`./a` as `a`) or look outside of the model (`../a`), and
/// writes none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// It begins with a slash.
    #[error("is absolute")]
    Absolute,
    /// A component is `..`: it may lead out of the model.
    #[error("has `..` in it")]
    Parent,
    /// Another spelling of a shorter name: an empty component, or `.`.
    #[error("has `.` or nothing between two slashes, or at an end")]
    Alias,
    /// It holds the character U+0000, which no file's name can.
    #[error("has a NUL in it")]
    Nul,
    /// Longer than any path can be.
    #[error("is longer than {MAX_NAME_BYTES} bytes")]
    Long,
}

/// Whether a file of a model can have this name, in this spelling.
pub(crate) fn check(name: &str) -> Result<(), NameError> {
    if name == SINGLE_FILE {
        return Ok(());
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(NameError::Long);
    }
    if name.contains('\0') {
        return Err(NameError::Nul);
    }
    if name.starts_with('/') {
        return Err(NameError::Absolute);
    }
    for component in name.split('/') {
        match component {
            ".." => return Err(NameError::Parent),
            "" | "." => return Err(NameError::Alias),
            _ => {}
        }
    }
    Ok(())
}

/// The order of the reference implementation: by components, each by code points. UTF-8 sorts as its code points do, and
/// a slash, which ends a component, sorts before all other characters that could follow.
pub(super) fn path_order(one: &str, other: &str) -> Ordering {
    let key = |byte: u8| if byte == b'/' { 0 } else { byte };
    one.bytes().map(key).cmp(other.bytes().map(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_sorts_by_component_and_code_point() {
        let sorted = [
            "1/0",
            "10",
            "9",
            "A",
            "Z/z",
            "_x",
            "a",
            "a/b",
            "a/b/c",
            "a/b c",
            "a b",
            "a!b",
            "a-b",
            "a.b",
            "a0",
            "ab",
            "\u{e9}",
            "\u{ffee}",
            "\u{10000}",
        ];
        for pair in sorted.windows(2) {
            assert_eq!(path_order(pair[0], pair[1]), Ordering::Less, "{pair:?}");
        }
    }

    #[test]
    fn a_name_has_one_spelling_and_stays_in_the_model() {
        let long = "a".repeat(MAX_NAME_BYTES + 1);
        for (name, is) in [
            ("a", Ok(())),
            (".", Ok(())),
            ("a/b", Ok(())),
            ("...", Ok(())),
            ("..a/b..", Ok(())),
            (" ", Ok(())),
            ("a\\b\n", Ok(())),
            ("", Err(NameError::Alias)),
            ("./a", Err(NameError::Alias)),
            ("a/.", Err(NameError::Alias)),
            ("a//b", Err(NameError::Alias)),
            ("a/", Err(NameError::Alias)),
            ("..", Err(NameError::Parent)),
            ("a/../b", Err(NameError::Parent)),
            ("/", Err(NameError::Absolute)),
            ("/a", Err(NameError::Absolute)),
            ("a\0", Err(NameError::Nul)),
            (long.as_str(), Err(NameError::Long)),
        ] {
            assert_eq!(check(name), is, "{name:?}");
        }
    }
}
