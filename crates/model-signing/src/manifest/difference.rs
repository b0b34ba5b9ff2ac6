//! What two manifests disagree about.

use std::cmp::Ordering;
use std::fmt;

use super::{Manifest, Resource};
use crate::hash::Digest;

/// How many names of each kind a message holds; who needs all of them reads the fields.
const SHOWN: usize = 10;

/// What a model differs in from its signature; empty lists: in nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences {
    /// Names that were signed and are not there, in order.
    pub missing: Vec<String>,
    /// Names that are there and were not signed, in order.
    pub extra: Vec<String>,
    /// What is there under a signed name with another content, in order.
    pub changed: Vec<Changed>,
}

/// A resource with another content than was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Its name.
    pub name: String,
    /// The digest that was signed.
    pub signed: Digest,
    /// The digest of what is there.
    pub found: Digest,
}

impl Differences {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.extra.is_empty() && self.changed.is_empty()
    }
}

/// One sentence; of long lists only the beginning and their length.
impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |names: &[String]| -> Vec<String> {
            names
                .iter()
                .take(SHOWN)
                .map(|name| format!("{name:?}"))
                .collect()
        };
        let changed: Vec<String> = self
            .changed
            .iter()
            .take(SHOWN)
            .map(|changed| {
                format!(
                    "{:?} (signed {}, found {})",
                    changed.name, changed.signed, changed.found
                )
            })
            .collect();
        let mut separator = "";
        for (what, shown, all) in [
            ("missing", quoted(&self.missing), self.missing.len()),
            ("not signed", quoted(&self.extra), self.extra.len()),
            ("changed", changed, self.changed.len()),
        ] {
            if all == 0 {
                continue;
            }
            write!(f, "{separator}{what}: {}", shown.join(", "))?;
            if all > shown.len() {
                write!(f, " and {} more", all - shown.len())?;
            }
            separator = "; ";
        }
        if separator.is_empty() {
            f.write_str("no differences")?;
        }
        Ok(())
    }
}

impl Manifest {
    /// What the model of the manifest `found` differs in from this one, which was signed.
    ///
    /// Both must have been made by the same [method](Manifest::method); digests of two algorithms differ always.
    pub fn compare(&self, found: &Self) -> Differences {
        let mut differences = Differences::default();
        let (mut signed, mut there) = (self.resources().iter(), found.resources().iter());
        let (mut one, mut other) = (signed.next(), there.next());
        // Both are in the same order and name nothing twice.
        loop {
            let order = match (one, other) {
                (None, None) => return differences,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(one), Some(other)) => one.order(other),
            };
            if let (Some(one), Ordering::Less) = (one, order) {
                differences.missing.push(one.name().to_string());
            }
            if let (Some(other), Ordering::Greater) = (other, order) {
                differences.extra.push(other.name().to_string());
            }
            if let (Some(one), Some(other), Ordering::Equal) = (one, other, order) {
                differences.changed.extend(changed(one, other));
            }
            if order.is_le() {
                one = signed.next();
            }
            if order.is_ge() {
                other = there.next();
            }
        }
    }
}

fn changed(signed: &Resource, found: &Resource) -> Option<Changed> {
    (signed.digest != found.digest).then(|| Changed {
        name: signed.name().to_string(),
        signed: signed.digest,
        found: found.digest,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a missing value is a failed test")]

    use super::*;
    use crate::hash::Algorithm;
    use crate::manifest::{Method, tests::resource};

    fn manifest(files: &[(&str, &str)]) -> Manifest {
        let resources = files.iter().map(|(path, content)| resource(path, content));
        Manifest::new(Method::files(Algorithm::Sha256), resources.collect()).unwrap()
    }

    #[test]
    fn every_kind_of_difference_is_found_wherever_it_is() {
        let signed = manifest(&[("a", "1"), ("b", "2"), ("c", "3"), ("e", "5")]);
        for (there, missing, extra, changed) in [
            (
                &[("a", "1"), ("b", "2"), ("c", "3"), ("e", "5")][..],
                "",
                "",
                "",
            ),
            (&[], "abce", "", ""),
            (
                &[("a", "1"), ("b", "x"), ("c", "3"), ("e", "y")],
                "",
                "",
                "be",
            ),
            (
                &[
                    ("0", ""),
                    ("a", "1"),
                    ("b", "2"),
                    ("d", ""),
                    ("e", "5"),
                    ("f", ""),
                ],
                "c",
                "0df",
                "",
            ),
            (&[("b", "1"), ("a", "2")], "ce", "", "ab"),
        ] {
            let found = signed.compare(&manifest(there));
            assert_eq!(found.missing.concat(), missing, "{there:?}");
            assert_eq!(found.extra.concat(), extra, "{there:?}");
            let names: String = found
                .changed
                .iter()
                .map(|changed| changed.name.as_str())
                .collect();
            assert_eq!(names, changed, "{there:?}");
            assert_eq!(
                found.is_empty(),
                [missing, extra, changed].concat().is_empty()
            );
        }
    }

    #[test]
    fn a_message_stays_short_and_counts_what_it_leaves_out() {
        let many: Vec<_> = (0..1000).map(|i| format!("f{i}")).collect();
        let files: Vec<_> = many.iter().map(|name| (name.as_str(), "")).collect();
        let differences = manifest(&files).compare(&manifest(&[("\u{1b}[2J", "")]));
        let said = differences.to_string();
        assert!(
            said.contains("and 990 more; not signed: \"\\u{1b}[2J\""),
            "{said}"
        );
        assert!(said.len() < 300, "{said}");
    }
}
