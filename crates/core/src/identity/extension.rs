//! Fulcio's certificate extensions, 1.3.6.1.4.1.57264.1.*.

use std::ops::Range;

/// What Fulcio copied from the identity token into the certificate, by the names of its OID table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Extension {
    /// `.8`, and `.1` in its old encoding: who issued the identity token.
    Issuer,
    /// `.2`, deprecated.
    GithubWorkflowTrigger,
    /// `.3`, deprecated.
    GithubWorkflowSha,
    /// `.4`, deprecated.
    GithubWorkflowName,
    /// `.5`, deprecated.
    GithubWorkflowRepository,
    /// `.6`, deprecated.
    GithubWorkflowRef,
    /// `.9`: the workflow that did the signing, as the reusable one if there is one.
    BuildSignerUri,
    /// `.10`
    BuildSignerDigest,
    /// `.11`
    RunnerEnvironment,
    /// `.12`
    SourceRepositoryUri,
    /// `.13`
    SourceRepositoryDigest,
    /// `.14`
    SourceRepositoryRef,
    /// `.15`: a number that survives renaming, unlike the URI.
    SourceRepositoryIdentifier,
    /// `.16`
    SourceRepositoryOwnerUri,
    /// `.17`
    SourceRepositoryOwnerIdentifier,
    /// `.18`
    BuildConfigUri,
    /// `.19`
    BuildConfigDigest,
    /// `.20`
    BuildTrigger,
    /// `.21`
    RunInvocationUri,
    /// `.22`
    SourceRepositoryVisibilityAtSigning,
    /// `.23`
    DeploymentEnvironment,
    /// `.24`: the token's `sub`, raw.
    TokenSubject,
}

/// How Fulcio encodes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// `.1` to `.6`: the text itself is the extension's value.
    Raw,
    /// From `.8` on: a DER UTF8String.
    Utf8String,
}

impl Extension {
    /// Every extension, in the order of the OID table.
    pub const ALL: [Self; 22] = [
        Self::Issuer,
        Self::GithubWorkflowTrigger,
        Self::GithubWorkflowSha,
        Self::GithubWorkflowName,
        Self::GithubWorkflowRepository,
        Self::GithubWorkflowRef,
        Self::BuildSignerUri,
        Self::BuildSignerDigest,
        Self::RunnerEnvironment,
        Self::SourceRepositoryUri,
        Self::SourceRepositoryDigest,
        Self::SourceRepositoryRef,
        Self::SourceRepositoryIdentifier,
        Self::SourceRepositoryOwnerUri,
        Self::SourceRepositoryOwnerIdentifier,
        Self::BuildConfigUri,
        Self::BuildConfigDigest,
        Self::BuildTrigger,
        Self::RunInvocationUri,
        Self::SourceRepositoryVisibilityAtSigning,
        Self::DeploymentEnvironment,
        Self::TokenSubject,
    ];

    /// The name in configuration and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Issuer => "issuer",
            Self::GithubWorkflowTrigger => "github_workflow_trigger",
            Self::GithubWorkflowSha => "github_workflow_sha",
            Self::GithubWorkflowName => "github_workflow_name",
            Self::GithubWorkflowRepository => "github_workflow_repository",
            Self::GithubWorkflowRef => "github_workflow_ref",
            Self::BuildSignerUri => "build_signer_uri",
            Self::BuildSignerDigest => "build_signer_digest",
            Self::RunnerEnvironment => "runner_environment",
            Self::SourceRepositoryUri => "source_repository_uri",
            Self::SourceRepositoryDigest => "source_repository_digest",
            Self::SourceRepositoryRef => "source_repository_ref",
            Self::SourceRepositoryIdentifier => "source_repository_identifier",
            Self::SourceRepositoryOwnerUri => "source_repository_owner_uri",
            Self::SourceRepositoryOwnerIdentifier => "source_repository_owner_identifier",
            Self::BuildConfigUri => "build_config_uri",
            Self::BuildConfigDigest => "build_config_digest",
            Self::BuildTrigger => "build_trigger",
            Self::RunInvocationUri => "run_invocation_uri",
            Self::SourceRepositoryVisibilityAtSigning => "source_repository_visibility_at_signing",
            Self::DeploymentEnvironment => "deployment_environment",
            Self::TokenSubject => "token_subject",
        }
    }

    /// The extension of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|e| e.name() == name)
    }

    /// The last arc of its object identifier under 1.3.6.1.4.1.57264.1; the issuer's is that of its present encoding.
    pub const fn number(self) -> u8 {
        match self {
            Self::Issuer => 8,
            Self::GithubWorkflowTrigger => 2,
            Self::GithubWorkflowSha => 3,
            Self::GithubWorkflowName => 4,
            Self::GithubWorkflowRepository => 5,
            Self::GithubWorkflowRef => 6,
            Self::BuildSignerUri => 9,
            Self::BuildSignerDigest => 10,
            Self::RunnerEnvironment => 11,
            Self::SourceRepositoryUri => 12,
            Self::SourceRepositoryDigest => 13,
            Self::SourceRepositoryRef => 14,
            Self::SourceRepositoryIdentifier => 15,
            Self::SourceRepositoryOwnerUri => 16,
            Self::SourceRepositoryOwnerIdentifier => 17,
            Self::BuildConfigUri => 18,
            Self::BuildConfigDigest => 19,
            Self::BuildTrigger => 20,
            Self::RunInvocationUri => 21,
            Self::SourceRepositoryVisibilityAtSigning => 22,
            Self::DeploymentEnvironment => 23,
            Self::TokenSubject => 24,
        }
    }

    /// The extension with that last arc, and how its value is encoded.
    pub(super) fn from_number(number: u8) -> Option<(Self, Encoding)> {
        match number {
            1 => Some((Self::Issuer, Encoding::Raw)),
            2..=6 => Self::ALL
                .get(usize::from(number) - 1)
                .map(|e| (*e, Encoding::Raw)),
            8 => Some((Self::Issuer, Encoding::Utf8String)),
            9..=24 => Self::ALL
                .get(usize::from(number) - 3)
                .map(|e| (*e, Encoding::Utf8String)),
            _ => None,
        }
    }
}

/// Fulcio's extensions of one certificate with their values, in an order of their own.
///
/// A certificate has about twenty, and a catch-up reads a certificate from nearly every leaf. So all values are in one
/// text: a memory block for each would cost more than reading them.
#[derive(Clone, Default)]
pub struct Extensions {
    list: Vec<(Extension, Range<u32>)>,
    values: String,
}

impl Extensions {
    /// What is set aside for the list and for the values, in entries and bytes: enough for a certificate of a workflow, and
    /// short enough (1 kB) for the allocator to have it at hand.
    const USUAL: (usize, usize) = (24, 1000);

    /// Each with its value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Extension, &str)> {
        self.list.iter().map(|(extension, place)| {
            let value = self.values.get(place.start as usize..place.end as usize);
            (*extension, value.unwrap_or_default())
        })
    }

    /// Every value of one extension, in order.
    pub fn values(&self, wanted: Extension) -> impl Iterator<Item = &str> {
        self.iter()
            .filter(move |(extension, _)| *extension == wanted)
            .map(|(_, value)| value)
    }

    /// How many there are, repeated ones counted each time.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The position of the first one of this kind in the order.
    pub(super) fn position(&self, wanted: Extension) -> Option<usize> {
        self.list
            .iter()
            .position(|(extension, _)| *extension == wanted)
    }

    /// Adds one at the end.
    pub(super) fn push(&mut self, extension: Extension, value: &str) {
        self.insert(self.len(), extension, value);
    }

    /// Adds one before the one at this place; at the end if there are not so many.
    pub(super) fn insert(&mut self, place: usize, extension: Extension, value: &str) {
        if self.is_empty() {
            let (extensions, bytes) = Self::USUAL;
            self.list.reserve(extensions);
            self.values.reserve(bytes);
        }
        // A certificate is far shorter than 4 GiB.
        let end = |values: &str| u32::try_from(values.len()).unwrap_or(u32::MAX);
        let start = end(&self.values);
        self.values.push_str(value);
        let entry = (extension, start..end(&self.values));
        self.list.insert(place.min(self.list.len()), entry);
    }
}

impl PartialEq for Extensions {
    /// The same extensions with the same values in the same order, at any position in the text.
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Extensions {}

impl std::fmt::Debug for Extensions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl std::fmt::Display for Extension {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl serde::Serialize for Extension {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> serde::Deserialize<'de> for Extension {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::from_name(&name).ok_or_else(|| serde::de::Error::custom("unknown extension name"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_keep_their_order_and_are_equal_by_their_values() {
        let (mut read, mut inserted) = (Extensions::default(), Extensions::default());
        assert!(read.is_empty());
        for (extension, value) in [
            (Extension::Issuer, "i"),
            (Extension::BuildTrigger, ""),
            (Extension::Issuer, "\u{e9}"),
        ] {
            read.push(extension, value);
        }
        inserted.push(Extension::BuildTrigger, "");
        inserted.insert(9, Extension::Issuer, "\u{e9}");
        assert_ne!(read, inserted);
        inserted.insert(0, Extension::Issuer, "i");
        assert_eq!(read, inserted);
        assert_eq!(read.len(), 3);
        assert_eq!(read.position(Extension::BuildTrigger), Some(1));
        assert_eq!(read.position(Extension::TokenSubject), None);
        let issuers: Vec<&str> = inserted.values(Extension::Issuer).collect();
        assert_eq!(issuers, ["i", "\u{e9}"]);
    }

    #[test]
    fn names_and_numbers_lead_back_to_the_extension() {
        for extension in Extension::ALL {
            assert_eq!(Extension::from_name(extension.name()), Some(extension));
            let read = Extension::from_number(extension.number()).map(|(e, _)| e);
            assert_eq!(read, Some(extension));
        }
        assert_eq!(
            Extension::from_number(1),
            Some((Extension::Issuer, Encoding::Raw))
        );
        // .7 is the type of an otherName, not an extension.
        assert_eq!(Extension::from_number(7), None);
        assert_eq!(Extension::from_number(25), None);
        assert_eq!(Extension::from_name("Issuer"), None);
    }
}
