//! One condition with its values, and the rules for comparing it.

use std::borrow::Cow;

use super::subject::Subject;
use super::{Glob, SanRegex};
use crate::identity::Extension;

/// One condition of a set: one of its values must match.
#[derive(Clone, Copy)]
pub(super) enum Part<'a> {
    San(&'a [String]),
    SanGlob(&'a [Glob]),
    SanRegex(&'a [SanRegex]),
    Issuer(&'a [String]),
    Extension(Extension, &'a [String]),
    ExtensionGlob(Extension, &'a [Glob]),
    Key(&'a [[u8; 32]]),
    Certificate(&'a [[u8; 32]]),
}

impl<'a> Part<'a> {
    pub(super) fn is_empty(self) -> bool {
        match self {
            Self::San(values) | Self::Issuer(values) | Self::Extension(_, values) => {
                values.is_empty()
            }
            Self::SanGlob(globs) | Self::ExtensionGlob(_, globs) => globs.is_empty(),
            Self::SanRegex(regexes) => regexes.is_empty(),
            Self::Key(digests) | Self::Certificate(digests) => digests.is_empty(),
        }
    }

    /// The key in the configuration.
    pub(super) fn name(self) -> Cow<'static, str> {
        match self {
            Self::San(_) => "san".into(),
            Self::SanGlob(_) => "san_glob".into(),
            Self::SanRegex(_) => "san_regex".into(),
            Self::Issuer(_) => "issuer".into(),
            Self::Extension(extension, _) => format!("extension.{}", extension.name()).into(),
            Self::ExtensionGlob(extension, _) => {
                format!("extension_glob.{}", extension.name()).into()
            }
            Self::Key(_) => "key_sha256".into(),
            Self::Certificate(_) => "certificate_sha256".into(),
        }
    }

    /// Its values as written.
    pub(super) fn values(self) -> Vec<Cow<'a, str>> {
        match self {
            Self::San(values) | Self::Issuer(values) | Self::Extension(_, values) => {
                values.iter().map(Into::into).collect()
            }
            Self::SanGlob(globs) | Self::ExtensionGlob(_, globs) => {
                globs.iter().map(|glob| glob.as_str().into()).collect()
            }
            Self::SanRegex(regexes) => regexes.iter().map(|regex| regex.as_str().into()).collect(),
            Self::Key(digests) | Self::Certificate(digests) => digests
                .iter()
                .map(|digest| hex::encode(digest).into())
                .collect(),
        }
    }

    /// Its values, equal for equal meaning where selecting ignores case.
    pub(super) fn canonical_values(self) -> Vec<Cow<'a, str>> {
        match self {
            Self::San(values) => values
                .iter()
                .map(|value| value.to_ascii_lowercase().into())
                .collect(),
            Self::SanGlob(globs) | Self::ExtensionGlob(_, globs) => {
                globs.iter().map(|glob| glob.folded().into()).collect()
            }
            other => other.values(),
        }
    }

    /// The values of the signer for this condition.
    pub(super) fn actual(self, subject: &Subject<'_>) -> Vec<String> {
        match self {
            Self::San(_) | Self::SanGlob(_) | Self::SanRegex(_) => {
                subject.sans().iter().map(|san| san.value.clone()).collect()
            }
            Self::Issuer(_) => subject.issuers().map(ToOwned::to_owned).collect(),
            Self::Extension(extension, _) | Self::ExtensionGlob(extension, _) => subject
                .extension(extension)
                .map(ToOwned::to_owned)
                .collect(),
            Self::Key(_) => subject.shown_key_hashes().iter().map(hex::encode).collect(),
            // Its other forms are not shown to people.
            Self::Certificate(_) => subject
                .certificate_hashes()
                .first()
                .map(hex::encode)
                .into_iter()
                .collect(),
        }
    }

    /// Whether it is satisfied for a selection: any value of the signer may match, and case does not count in `san`,
    /// `san_glob` and `extension_glob`.
    pub(super) fn holds(self, subject: &Subject<'_>) -> bool {
        match self {
            Self::San(values) => subject
                .names()
                .any(|name| values.iter().any(|value| value.eq_ignore_ascii_case(name))),
            Self::SanGlob(globs) => subject
                .folded_names()
                .iter()
                .any(|san| globs.iter().any(|glob| glob.matches_folded(san))),
            Self::SanRegex(regexes) => subject
                .names()
                .any(|name| regexes.iter().any(|regex| regex.matches(name))),
            Self::Issuer(values) => subject.issuers().any(|issuer| one_of(values, issuer)),
            Self::Extension(extension, values) => subject
                .extension(extension)
                .any(|value| one_of(values, value)),
            Self::ExtensionGlob(extension, globs) => subject.extension(extension).any(|value| {
                let value = value.to_ascii_lowercase();
                globs.iter().any(|glob| glob.matches_folded(&value))
            }),
            Self::Key(digests) => one_is_in(subject.key_hashes(), digests),
            Self::Certificate(digests) => one_is_in(subject.certificate_hashes(), digests),
        }
    }

    /// Whether it is satisfied in a shape: every value of the signer must match, there must be at least one, in every
    /// form in which a verifier reads it, and case counts. Otherwise a certificate with a second SAN beside the
    /// expected one could count as two identities.
    pub(super) fn fits(self, subject: &Subject<'_>) -> bool {
        let every_name =
            |fits: &dyn Fn(&str) -> bool| !subject.sans().is_empty() && subject.names().all(fits);
        match self {
            Self::San(values) => every_name(&|name| one_of(values, name)),
            Self::SanGlob(globs) => {
                every_name(&|name| globs.iter().any(|glob| glob.fits_shape(name)))
            }
            Self::SanRegex(regexes) => {
                every_name(&|name| regexes.iter().any(|regex| regex.matches(name)))
            }
            Self::Issuer(values) => {
                self.holds(subject) && subject.issuers().all(|issuer| one_of(values, issuer))
            }
            Self::Extension(extension, values) => {
                self.holds(subject)
                    && subject
                        .extension(extension)
                        .all(|value| one_of(values, value))
            }
            Self::ExtensionGlob(extension, globs) => {
                self.holds(subject)
                    && subject
                        .extension(extension)
                        .all(|value| globs.iter().any(|glob| glob.fits_shape(value)))
            }
            Self::Key(_) | Self::Certificate(_) => self.holds(subject),
        }
    }
}

fn one_is_in(hashes: &[[u8; 32]], wanted: &[[u8; 32]]) -> bool {
    hashes.iter().any(|hash| wanted.contains(hash))
}

fn one_of(values: &[String], value: &str) -> bool {
    values.iter().any(|candidate| candidate == value)
}
