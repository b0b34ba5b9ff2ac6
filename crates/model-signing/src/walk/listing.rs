//! What a walk finds.

use std::sync::Arc;

/// What a model consists of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// In no order.
    pub files: Vec<Listed>,
    /// Names of symlinks to directories. Their content is not in the listing: the format has no place for it.
    pub linked_directories: Vec<String>,
    /// Names of symlinks, to files and to directories, that lead out of the model.
    pub leading_outside: Vec<String>,
}

/// One file of a [`Listing`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Relative to the model, components joined by `/`; the name of the file if the model is this file.
    pub name: Arc<str>,
    /// How long it was when it was listed.
    pub size: u64,
}

impl Listing {
    /// How many bytes all files have.
    pub fn bytes(&self) -> u64 {
        let sizes = self.files.iter().map(|file| file.size);
        sizes.fold(0, u64::saturating_add)
    }

    /// Files that earlier versions of this program left in models when they were killed while they wrote a signature:
    /// `.model.sig.` and six letters or digits. `signature` is the name of the signature, without directories.
    pub fn left_over(&self, signature: Option<&str>) -> Vec<&Arc<str>> {
        let names = self.files.iter().map(|file| &file.name);
        let mut left_over: Vec<_> = names.filter(|name| is_left_over(name, signature)).collect();
        left_over.sort_unstable();
        left_over
    }
}

fn is_left_over(name: &str, signature: Option<&str>) -> bool {
    let name = name.rsplit('/').next().unwrap_or(name);
    let parts = name.strip_prefix('.').and_then(|it| it.rsplit_once('.'));
    parts.is_some_and(|(base, random)| {
        random.len() == 6
            && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && (base.strip_suffix(".sig").is_some() || Some(base) == signature)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_version_left_is_known_by_its_name() {
        for (name, signature, is) in [
            (".model.sig.AbC123", None, true),
            ("sub/.falcon.sig.000000", None, true),
            (".signature.json.AbC123", Some("signature.json"), true),
            (".signature.json.AbC123", Some("model.sig"), false),
            (".config.backup", Some("model.sig"), false),
            (".model.sig.AbC12", None, false),
            (".model.sig.AbC1234", None, false),
            (".model.sig.AbC-23", None, false),
            ("model.sig.AbC123", None, false),
            ("model.sig", None, false),
            (".sig", None, false),
            ("", None, false),
        ] {
            assert_eq!(is_left_over(name, signature), is, "{name}");
        }
    }
}
