//! What `reconcile` answers: a line for each bundle and each signing, and their counts.

use serde::Serialize;

use model_signing::manifest::Differences;

/// What a line means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineType {
    /// The bundle verifies, its entry is proven in its log, and the model is the one that was signed.
    Agreed,
    /// Something of this is not so.
    Discrepancy,
    /// It could not be found out.
    Unanswered,
}

/// What exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A watched identity signed, and none of the bundles is of this signing.
    SigningWithoutBundle,
    /// The bundle names no entry, or one behind the end of its log.
    BundleWithoutEntry,
    /// The entry that the bundle names is proven, and is another one.
    EntryDiffers,
    /// The model beside the bundle is not the one that was signed.
    ModelChanged,
    /// The bundle does not verify.
    SignatureInvalid,
    /// Another file holds the same signing.
    BundleDuplicated,
    /// An identity that no watch selects signed the same model.
    SameModelOtherIdentity,
    /// The log was not read or proven there, or what it serves cannot be believed.
    Unread,
    /// The log is guided, and the entry was not found.
    Guided,
    /// The bundle names a log that is not followed.
    LogNotFollowed,
    /// Nothing that is trusted shows whose signature it is.
    NoTrust,
    /// A file, or an entry of a log, that cannot be read.
    Unreadable,
    /// The signature of a key or of a certificate chain: its method has no log.
    NotLoggedByDesign,
}

impl Kind {
    /// What a line of this kind means.
    pub const fn line_type(self) -> LineType {
        match self {
            Self::SigningWithoutBundle
            | Self::BundleWithoutEntry
            | Self::EntryDiffers
            | Self::ModelChanged
            | Self::SignatureInvalid
            | Self::BundleDuplicated
            | Self::SameModelOtherIdentity => LineType::Discrepancy,
            Self::Unread
            | Self::Guided
            | Self::LogNotFollowed
            | Self::NoTrust
            | Self::Unreadable => LineType::Unanswered,
            Self::NotLoggedByDesign => LineType::Agreed,
        }
    }

    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SigningWithoutBundle => "signing-without-bundle",
            Self::BundleWithoutEntry => "bundle-without-entry",
            Self::EntryDiffers => "entry-differs",
            Self::ModelChanged => "model-changed",
            Self::SignatureInvalid => "signature-invalid",
            Self::BundleDuplicated => "bundle-duplicated",
            Self::SameModelOtherIdentity => "same-model-other-identity",
            Self::Unread => "unread",
            Self::Guided => "guided",
            Self::LogNotFollowed => "log-not-followed",
            Self::NoTrust => "no-trust",
            Self::Unreadable => "unreadable",
            Self::NotLoggedByDesign => "not-logged-by-design",
        }
    }
}

/// An entry of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntryPlace {
    /// The log's name in the configuration.
    pub log: String,
    /// The tree: the first line of its checkpoints.
    pub origin: String,
    /// The entry, counted over all trees of the log.
    pub index: u64,
}

/// The answer about one bundle, or about one signing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What it means.
    #[serde(rename = "type")]
    pub line_type: LineType,
    /// What exactly; `None` of a bundle with which all agrees.
    pub kind: Option<Kind>,
    /// The file as it was named, and the place in it if it holds several bundles.
    pub bundle: Option<String>,
    /// The model that was compared.
    pub model: Option<String>,
    /// The entry.
    pub entry: Option<EntryPlace>,
    /// One sentence for a person. May hold text from a log or a file: escape it where it is shown.
    pub summary: String,
    /// Which files of the model differ; only of [`Kind::ModelChanged`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<ChangedFiles>,
}

impl Line {
    /// A line of this kind, about nothing yet.
    pub fn new(kind: Kind, summary: impl Into<String>) -> Self {
        Self {
            line_type: kind.line_type(),
            kind: Some(kind),
            bundle: None,
            model: None,
            entry: None,
            summary: summary.into(),
            files: None,
        }
    }

    /// The line of a bundle with which all agrees.
    pub fn agreed(summary: String) -> Self {
        Self {
            line_type: LineType::Agreed,
            kind: None,
            ..Self::new(Kind::NotLoggedByDesign, summary)
        }
    }

    /// The same about this entry.
    #[must_use]
    pub fn at(mut self, entry: EntryPlace) -> Self {
        self.entry = Some(entry);
        self
    }
}

/// Files of a model that are not as they were signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedFiles {
    /// Signed, and not there.
    pub missing: Vec<String>,
    /// There, and not signed.
    pub extra: Vec<String>,
    /// With another content than was signed.
    pub changed: Vec<String>,
}

impl From<&Differences> for ChangedFiles {
    fn from(differences: &Differences) -> Self {
        let changed = differences.changed.iter();
        Self {
            missing: differences.missing.clone(),
            extra: differences.extra.clone(),
            changed: changed.map(|changed| changed.name.clone()).collect(),
        }
    }
}

/// How many lines there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bundles with which all agrees.
    pub agreed: u64,
    /// Discrepancies.
    pub discrepancies: u64,
    /// What could not be found out.
    pub unanswered: u64,
    /// Signatures whose method has no log, and with which all agrees.
    pub not_logged: u64,
    /// Registrations that were new; only if agreed bundles are registered.
    pub registered: Option<u64>,
}

impl Counts {
    pub(super) fn add(&mut self, line: &Line) {
        match (line.line_type, line.kind) {
            (_, Some(Kind::NotLoggedByDesign)) => self.not_logged += 1,
            (LineType::Agreed, _) => self.agreed += 1,
            (LineType::Discrepancy, _) => self.discrepancies += 1,
            (LineType::Unanswered, _) => self.unanswered += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_fields_of_the_contract_in_their_order() {
        let place = EntryPlace {
            log: "main".to_owned(),
            origin: "log.example".to_owned(),
            index: 7,
        };
        let line = Line::new(Kind::EntryDiffers, "why").at(place);
        assert_eq!(
            serde_json::to_string(&line).expect("texts and numbers can be written"),
            r#"{"type":"discrepancy","kind":"entry-differs","bundle":null,"model":null,"entry":{"log":"main","origin":"log.example","index":7},"summary":"why"}"#
        );
        for kind in [
            Kind::SigningWithoutBundle,
            Kind::NoTrust,
            Kind::NotLoggedByDesign,
        ] {
            let written = serde_json::to_value(kind).expect("a word");
            assert_eq!(written, kind.as_str());
        }
    }
}
