//! Compares signings with a question.

use std::collections::BTreeMap;

use super::held::{Held, Place};
use super::line::Matched;
use super::question::Question;
use crate::expect::Part;
use crate::identity::{Certificate, Extension, Signer};
use crate::log::TreeId;
use crate::source::rekor_v1::TreeNumber;
use crate::store::FoundSigning;
use crate::watch::{Conditions, Glob, Watch, WatchError, Watches, other_forms};

/// The name of the watch that the question is compiled into. No finding ever has it.
const NAME: &str = "lookup";

/// The extensions that name a commit.
const COMMITS: [Extension; 4] = [
    Extension::SourceRepositoryDigest,
    Extension::BuildSignerDigest,
    Extension::BuildConfigDigest,
    Extension::GithubWorkflowSha,
];

/// A question, ready to be compared with signings.
pub(super) struct Matcher {
    pub(super) question: Question,
    /// The conditions on the signer as a watch; `None`: there is none.
    signer: Option<Watches>,
    /// What entries hold of the statements that are known to be about one of the digests.
    pub(super) payloads: Vec<(Part, String)>,
}

impl Matcher {
    /// Compiles the conditions on the signer, so that they mean what they mean in a watch.
    ///
    /// # Errors
    ///
    /// They are too many.
    pub(super) fn new(question: &Question) -> Result<Self, WatchError> {
        let watch = watch(question);
        let is_empty = watch.conditions.is_empty() && watch.any.is_empty();
        let signer = (!is_empty)
            .then(|| Watches::compile(vec![watch]))
            .transpose()?;
        Ok(Self {
            question: question.clone(),
            signer,
            payloads: Vec::new(),
        })
    }

    /// Adds what is known of the digests.
    pub(super) fn add_payloads(&mut self, payloads: &[(Part, String)]) {
        self.payloads.extend_from_slice(payloads);
    }

    /// The conditions on the signer, as watches.
    pub(super) fn signer_conditions(&self) -> Option<&Watches> {
        self.signer.as_ref()
    }

    /// Whether every signing that is asked for is selected by this watch. `false` where that is not certain.
    pub(super) fn is_covered_by(&self, watch: &Watch) -> bool {
        let Some(asked) = &self.signer else {
            return false;
        };
        let asked = asked.get(0);
        let key = self.question.canonical_key;
        is_implied(asked, key, &watch.conditions)
            && (watch.any.is_empty() || watch.any.iter().any(|set| is_implied(asked, key, set)))
    }

    /// Whether the conditions on the signer hold for one that was read.
    pub(super) fn is_signer(&self, signer: &Signer) -> bool {
        let Some(conditions) = &self.signer else {
            return self.is_certificate(signer.certificate());
        };
        let mut found = Vec::new();
        conditions.matches(signer, &mut found);
        !found.is_empty() && self.is_certificate(signer.certificate())
    }

    fn is_certificate(&self, certificate: Option<&Certificate>) -> bool {
        let Some(asked) = &self.question.certificate else {
            return true;
        };
        certificate.is_some_and(|certificate| {
            let hashes = certificate.hashes();
            hashes.iter().any(|hash| asked.hashes.contains(hash))
                || (asked.logged.is_some()
                    && certificate.logged_sha256().map(hex::encode) == asked.logged)
        })
    }

    /// Whether an entry at this place may be asked for, whatever it holds.
    pub(super) fn is_place(&self, place: &Place<'_>) -> bool {
        let question = &self.question;
        let is_entry = question.entry.as_ref().is_none_or(|(log, index)| {
            (log == place.log || log == place.origin) && place.index == *index
        });
        let is_uuid = question.uuid.as_ref().is_none_or(|id| {
            place.leaf_hash == id.leaf.to_hex()
                && id.tree.is_none_or(|tree| is_of_tree(place.origin, tree))
        });
        is_entry && is_uuid
    }

    /// Whether the conditions hold for a signing that was read, and what of it they hold for. Its signer was compared before.
    pub(super) fn holds(&self, held: &Held<'_>) -> Option<Matched> {
        let question = &self.question;
        let place = Place {
            log: held.log(),
            origin: held.origin(),
            index: held.index()?,
            leaf_hash: held.leaf_hash(),
        };
        if !self.is_place(&place) {
            return None;
        }
        let mut matched = Matched::Entry;
        if !question.digests.is_empty() {
            let digest = held.digest()?;
            for asked in &question.digests {
                if asked.any_of.contains(&digest) {
                    continue;
                }
                let part = Part::of_kind(&held.kind());
                let is_payload =
                    |(of, payload): &(Part, String)| part == Some(*of) && *payload == digest;
                let is_about = |about: &String| asked.any_of.contains(about);
                if !self.payloads.iter().any(is_payload)
                    && !held.statement_digests().iter().any(is_about)
                {
                    return None;
                }
                matched = Matched::Payload;
            }
        }
        if let Some(bundle) = &question.bundle {
            let (logged, digest) = (held.logged_sha256(), held.digest());
            let signature = bundle
                .signature_sha256
                .as_ref()
                .and_then(|_| held.signature_sha256());
            let is_of = bundle.is_of(
                held.leaf_hash(),
                logged.as_deref(),
                &held.kind(),
                digest.as_deref(),
                signature.as_deref(),
            );
            if !is_of {
                return None;
            }
        }
        Some(matched)
    }

    /// Whether the conditions hold for a stored signing. `by_key`: it was found by the hash of its key, so that this condition
    /// holds.
    pub(super) fn stored(&self, found: &FoundSigning, by_key: bool) -> Option<Matched> {
        let parsed = found
            .certificate
            .as_ref()
            .and_then(|der| Certificate::parse(der.clone()).ok());
        let is_signer = match parsed {
            Some(certificate) => self.is_signer(&Signer::Certificate(Box::new(certificate))),
            None => self.is_stored_signer(found, by_key),
        };
        if !is_signer {
            return None;
        }
        self.holds(&Held::Stored(found))
    }

    /// The conditions on the signer for a key, and for a certificate of which only the fields are stored.
    fn is_stored_signer(&self, found: &FoundSigning, by_key: bool) -> bool {
        let finding = &found.finding;
        let question = &self.question;
        let names: Vec<String> = finding
            .san
            .iter()
            .flat_map(|san| std::iter::once(san.value.clone()).chain(other_forms(san)))
            .collect();
        let has = |value: &Option<String>, hash: &[u8; 32]| {
            value.as_deref() == Some(hex::encode(hash).as_str())
        };
        let value = |extension: Extension| finding.extensions.get(extension.name());
        let is_named = question
            .identity
            .as_ref()
            .is_none_or(|asked| names.iter().any(|name| name.eq_ignore_ascii_case(asked)));
        let fits = question
            .identity_glob
            .as_ref()
            .is_none_or(|glob| names.iter().any(|name| glob_selects(glob, name)));
        let is_key = question.key.is_empty()
            || by_key
            || question
                .key
                .iter()
                .any(|hash| has(&finding.key_sha256, hash));
        let is_issuer = question.issuer.is_none() || question.issuer == finding.issuer;
        let is_certificate = question.certificate.as_ref().is_none_or(|asked| {
            asked
                .hashes
                .iter()
                .any(|hash| has(&finding.certificate_sha256, hash))
                || (asked.logged.is_some() && asked.logged == found.logged_sha256)
        });
        let is_repository = question.repository.as_ref().is_none_or(|asked| {
            let is = |extension, wanted: &str| {
                value(extension).is_some_and(|value| value.eq_ignore_ascii_case(wanted))
            };
            is(Extension::SourceRepositoryUri, &asked.uri)
                || asked
                    .github_name()
                    .is_some_and(|name| is(Extension::GithubWorkflowRepository, name))
        });
        let is_commit = question.commit.as_ref().is_none_or(|asked| {
            COMMITS
                .into_iter()
                .filter_map(value)
                .any(|value| value.eq_ignore_ascii_case(asked))
        });
        is_named && fits && is_key && is_issuer && is_certificate && is_repository && is_commit
    }
}

/// Whether a glob selects a name as in a watch: whatever the case of ASCII letters.
pub(super) fn glob_selects(glob: &Glob, name: &str) -> bool {
    Glob::new(&glob.as_str().to_ascii_lowercase()).matches(&name.to_ascii_lowercase())
}

/// Whether a tree of Rekor v1 has this number: its origin ends with it (rekor `pkg/util/checkpoint.go`).
fn is_of_tree(origin: &str, tree: TreeNumber) -> bool {
    origin
        .rsplit_once(" - ")
        .is_some_and(|(_, number)| number == tree.to_string())
}

/// Whether a tree may contain an entry with this id.
pub(super) fn may_contain(tree: &TreeId, id: Option<TreeNumber>) -> bool {
    id.is_none_or(|number| is_of_tree(tree.as_str(), number))
}

/// The conditions on the signer as a watch.
fn watch(question: &Question) -> Watch {
    let mut conditions = Conditions {
        key_sha256: question.key.clone(),
        ..Conditions::default()
    };
    conditions.san.extend(question.identity.clone());
    conditions.san_glob.extend(question.identity_glob.clone());
    conditions.issuer.extend(question.issuer.clone());
    let exactly = |extension: Extension, value: &str| {
        // Hexadecimal digits and the names of repositories are compared without regard to case, as a glob is.
        BTreeMap::from([(extension, vec![Glob::new(value)])])
    };
    let mut repositories = Vec::new();
    if let Some(repository) = &question.repository {
        repositories.push(exactly(Extension::SourceRepositoryUri, &repository.uri));
        let name = repository.github_name();
        repositories.extend(name.map(|name| exactly(Extension::GithubWorkflowRepository, name)));
    }
    let commits = question.commit.iter().flat_map(|commit| {
        COMMITS
            .into_iter()
            .map(|extension| exactly(extension, commit))
    });
    let commits: Vec<_> = commits.collect();
    // Two lists of alternatives are one list of pairs.
    let any: Vec<BTreeMap<Extension, Vec<Glob>>> =
        match (repositories.is_empty(), commits.is_empty()) {
            (_, true) => repositories,
            (true, false) => commits,
            (false, false) => repositories
                .iter()
                .flat_map(|one| {
                    commits.iter().map(|other| {
                        let mut both = one.clone();
                        both.extend(other.clone());
                        both
                    })
                })
                .collect(),
        };
    Watch {
        any: any
            .into_iter()
            .map(|extension_glob| Conditions {
                extension_glob,
                ..Conditions::default()
            })
            .collect(),
        ..Watch::new(NAME, conditions)
    }
}

/// Whether every signer that is asked for meets these conditions of a watch. `false` where that is not certain.
///
/// A glob that is asked for is contained in another one if that one matches its text: `*` in a text is matched by nothing but a
/// `*`, which stands for any text.
fn is_implied(asked: &Watch, key: Option<[u8; 32]>, watch: &Conditions) -> bool {
    let fold = |text: &str| text.to_ascii_lowercase();
    let own = &asked.conditions;
    let names: Vec<String> = own
        .san
        .iter()
        .map(|san| fold(san))
        .chain(own.san_glob.iter().map(|glob| fold(glob.as_str())))
        .collect();
    let is_name = watch.san.is_empty()
        || own
            .san
            .iter()
            .any(|asked| watch.san.iter().any(|san| fold(san) == fold(asked)));
    let fits = watch.san_glob.is_empty()
        || names
            .iter()
            .any(|name| watch.san_glob.iter().any(|glob| glob_selects(glob, name)));
    let is_issuer =
        watch.issuer.is_empty() || own.issuer.iter().any(|asked| watch.issuer.contains(asked));
    let is_key = watch.key_sha256.is_empty()
        || key.is_some_and(|key| watch.key_sha256.contains(&key))
        || (!own.key_sha256.is_empty()
            && own
                .key_sha256
                .iter()
                .all(|asked| watch.key_sha256.contains(asked)));
    // Every alternative that is asked for has to meet the conditions on extensions. What is asked for is compared without
    // regard to case, so a watch that compares exactly may select less.
    let meets = |extension: &Extension, globs: &Vec<Glob>| {
        !asked.any.is_empty()
            && asked.any.iter().all(|set| {
                let asked = set
                    .extension_glob
                    .get(extension)
                    .and_then(|globs| globs.first());
                asked.is_some_and(|asked| {
                    globs.iter().any(|glob| glob_selects(glob, asked.as_str()))
                })
            })
    };
    is_name
        && fits
        && is_issuer
        && is_key
        && watch.san_regex.is_empty()
        && watch.extension.is_empty()
        && watch.certificate_sha256.is_empty()
        && watch
            .extension_glob
            .iter()
            .all(|(extension, globs)| meets(extension, globs))
}
