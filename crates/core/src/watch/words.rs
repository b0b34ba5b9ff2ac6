//! The conditions of a watch in words.

use super::Conditions;
use super::part::Part;

/// One condition in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// What is compared, and how; without the values.
    pub what: String,
    /// The values of which one must match, raw.
    pub values: Vec<String>,
}

impl Conditions {
    /// All conditions in words, in the order in which they are compared. `is_shape`: they describe a normal signing, and case
    /// counts.
    pub fn described(&self, is_shape: bool) -> Vec<Described> {
        self.parts()
            .map(|part| Described {
                what: what(part, is_shape),
                values: part.values().into_iter().map(Into::into).collect(),
            })
            .collect()
    }
}

fn what(part: Part<'_>, is_shape: bool) -> String {
    let (case, and_case) = if is_shape {
        ("", "")
    } else {
        (", in any case,", " and in any case")
    };
    match part {
        Part::San(_) => format!("its name{case} is"),
        Part::SanGlob(_) => format!("its name, with any text for *{and_case}, is"),
        Part::SanRegex(_) => "its whole name matches the regular expression".to_owned(),
        Part::Issuer(_) => "the OpenID provider that confirmed the name is".to_owned(),
        Part::Extension(extension, _) => {
            format!("{} in its certificate is", extension.name())
        }
        Part::ExtensionGlob(extension, _) => format!(
            "{} in its certificate, with any text for *{and_case}, is",
            extension.name()
        ),
        Part::Key(_) => "the SHA-256 of its public key is".to_owned(),
        Part::Certificate(_) => "the SHA-256 of its certificate is".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Extension;
    use crate::watch::{Glob, SanRegex};

    #[test]
    fn every_condition_has_words_and_its_values() {
        let conditions = Conditions {
            san: vec!["jane@example.com".to_owned(), "joe@example.com".to_owned()],
            san_glob: vec![Glob::new("https://github.com/o/*")],
            san_regex: vec![SanRegex::new("a|b").expect("a valid expression")],
            issuer: vec!["https://issuer.example".to_owned()],
            extension: [(Extension::BuildTrigger, vec!["release".to_owned()])].into(),
            extension_glob: [(Extension::SourceRepositoryRef, vec![Glob::new("refs/*")])].into(),
            key_sha256: vec![[1; 32]],
            certificate_sha256: vec![[2; 32]],
        };
        let words: Vec<(String, Vec<String>)> = conditions
            .described(false)
            .into_iter()
            .map(|one| (one.what, one.values))
            .collect();
        let expected = [
            (
                "the OpenID provider that confirmed the name is",
                vec!["https://issuer.example".to_owned()],
            ),
            (
                "its name, in any case, is",
                vec!["jane@example.com".to_owned(), "joe@example.com".to_owned()],
            ),
            (
                "its name, with any text for * and in any case, is",
                vec!["https://github.com/o/*".to_owned()],
            ),
            (
                "build_trigger in its certificate is",
                vec!["release".to_owned()],
            ),
            (
                "source_repository_ref in its certificate, with any text for * and in any case, is",
                vec!["refs/*".to_owned()],
            ),
            (
                "its whole name matches the regular expression",
                vec!["a|b".to_owned()],
            ),
            (
                "the SHA-256 of its public key is",
                vec![hex::encode([1; 32])],
            ),
            (
                "the SHA-256 of its certificate is",
                vec![hex::encode([2; 32])],
            ),
        ];
        let expected = expected.map(|(what, values)| (what.to_owned(), values));
        assert_eq!(words, expected);
        // In a shape case counts.
        let shape = conditions.described(true);
        assert!(shape.iter().all(|one| !one.what.contains("case")));
        assert_eq!(Conditions::default().described(false), []);
    }
}
