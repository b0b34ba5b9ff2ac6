//! By which stored values the signings of a question are found.

use super::findings::is_unreadable;
use super::matcher::{Matcher, glob_selects};
use crate::store::{FoundSigning, MAX_TERM_CHARS, Place, SearchKey, SignerTerm};
use crate::watch::{Glob, other_forms};

/// One step of a search.
#[derive(Debug, Clone)]
pub(super) enum Key {
    /// The findings with one of these values.
    Values(SearchKey),
    /// The findings of signers with a name that the glob selects. It is in ASCII lower case.
    Names(Glob),
}

/// Which findings of a step were answered before, by an earlier value of it or by an earlier step.
pub(super) enum Repeated {
    /// It was, or certainly not.
    Known(bool),
    /// It was if its signer has one of these values.
    IfIts(Vec<(SignerTerm, Vec<String>)>),
}

impl Matcher {
    /// The steps that find every stored signing that is asked for: by one condition, by that which the fewest signings meet.
    /// `true`: by hashes of the key.
    pub(super) fn keys(&self) -> (Vec<Key>, bool) {
        let question = &self.question;
        let signers = |term, values: Vec<String>| Key::Values(SearchKey::Signers(term, values));
        if !question.key.is_empty() {
            let keys = question.key.iter().map(hex::encode).collect();
            return (vec![signers(SignerTerm::Key, keys)], true);
        }
        (self.other_keys(&signers), false)
    }

    fn other_keys(&self, signers: &dyn Fn(SignerTerm, Vec<String>) -> Key) -> Vec<Key> {
        let question = &self.question;
        if let Some((_, index)) = &question.entry {
            return vec![Key::Values(SearchKey::Indexes(vec![*index]))];
        }
        let entries = |hashes: Vec<String>| {
            [
                Key::Values(SearchKey::Entries(hashes.clone())),
                Key::Values(SearchKey::CertificateEntries(hashes)),
            ]
        };
        if let Some(id) = &question.uuid {
            return entries(vec![id.leaf.to_hex()]).into();
        }
        if let Some(bundle) = &question.bundle {
            let hashes = bundle.leaves.iter().chain(&bundle.logged).cloned();
            let digests = bundle.digests.iter().map(|(_, digest)| digest.clone());
            let mut keys = Vec::from(entries(hashes.collect()));
            keys.push(Key::Values(SearchKey::Digests(digests.collect())));
            return keys;
        }
        if let Some(certificate) = &question.certificate {
            let hashes = certificate.hashes.iter().map(hex::encode).collect();
            let mut keys = vec![signers(SignerTerm::Certificate, hashes)];
            let logged = certificate.logged.iter().cloned().collect::<Vec<_>>();
            if !logged.is_empty() {
                keys.push(Key::Values(SearchKey::Entries(logged)));
            }
            return keys;
        }
        if let Some(digest) = question.digests.first() {
            let payloads = self.payloads.iter().map(|(_, payload)| payload);
            let digests = digest.any_of.iter().chain(payloads).cloned();
            return vec![Key::Values(SearchKey::Digests(digests.collect()))];
        }
        if let Some(commit) = &question.commit {
            return vec![signers(SignerTerm::Commit, vec![commit.clone()])];
        }
        let odd = || signers(SignerTerm::Odd, vec![String::new()]);
        if let Some(name) = &question.identity {
            let name = name.to_ascii_lowercase();
            return vec![signers(SignerTerm::Name, vec![name]), odd()];
        }
        if let Some(repository) = &question.repository {
            return vec![signers(
                SignerTerm::Repository,
                vec![repository.uri.clone()],
            )];
        }
        let glob = question.identity_glob.as_ref();
        let glob = glob.map(|glob| Glob::new(&glob.as_str().to_ascii_lowercase()));
        match (&question.issuer, glob) {
            (Some(issuer), None) => vec![signers(SignerTerm::Issuer, vec![issuer.clone()])],
            (_, glob) => vec![Key::Names(glob.unwrap_or_else(|| Glob::new("*"))), odd()],
        }
    }
}

impl Key {
    /// Whether only entries that cannot be read are looked for.
    pub(super) fn is_unreadable(&self) -> bool {
        matches!(self, Self::Values(SearchKey::Unreadable(_)))
    }

    /// The text with which every name of the step begins.
    pub(super) fn beginning(glob: &Glob) -> &str {
        glob.as_str().split('*').next().unwrap_or_default()
    }

    /// Whether a stored name may be one of the step: a long one is stored only in part.
    pub(super) fn may_be(glob: &Glob, name: &str) -> bool {
        name.chars().count() >= MAX_TERM_CHARS || glob_selects(glob, name)
    }
}

/// Whether a finding that the step `keys[at]` answered was answered before. Where that is not certain, it is shown again.
/// `meets`: whether it meets the conditions.
pub(super) fn repeated(
    keys: &[Key],
    at: usize,
    stored: &FoundSigning,
    meets: impl FnOnce() -> bool,
) -> Repeated {
    if keys.get(at).is_some_and(Key::is_unreadable) {
        // Every finding that meets the conditions has a value of one of the other steps.
        return Repeated::Known(meets());
    }
    let mut values = Vec::new();
    for (earlier, key) in keys.iter().enumerate().take(at.saturating_add(1)) {
        let is_before = |value: &String| earlier < at || *value < stored.place.value;
        match key {
            Key::Names(glob) => {
                let names = names(stored).into_iter();
                let names = names.filter(|name| Key::may_be(glob, name) && is_before(name));
                values.push((SignerTerm::Name, names.collect::<Vec<_>>()));
            }
            Key::Values(SearchKey::Signers(term, of_step)) if is_by_signer(keys.get(at)) => {
                let of_step = of_step.iter().filter(|value| is_before(value));
                values.push((*term, of_step.cloned().collect()));
            }
            Key::Values(key) if earlier < at && has(key, stored) => return Repeated::Known(true),
            Key::Values(_) => {}
        }
    }
    values.retain(|(_, values)| !values.is_empty());
    Repeated::IfIts(values)
}

fn is_by_signer(key: Option<&Key>) -> bool {
    matches!(
        key,
        Some(Key::Names(_) | Key::Values(SearchKey::Signers(..)))
    )
}

/// Whether a finding certainly has one of these values.
fn has(key: &SearchKey, stored: &FoundSigning) -> bool {
    let finding = &stored.finding;
    let is_in = |values: &[String], value: Option<&String>| {
        value.is_some_and(|value| values.contains(value))
    };
    match key {
        SearchKey::Signers(SignerTerm::Certificate, hashes) => {
            is_in(hashes, finding.certificate_sha256.as_ref())
        }
        SearchKey::Signers(..) => false,
        SearchKey::Digests(digests) => is_in(digests, finding.digest.as_ref()),
        SearchKey::Entries(hashes) => {
            let logged = stored.logged_sha256.as_ref();
            is_in(hashes, logged.or(finding.leaf_hash.as_ref()))
        }
        SearchKey::CertificateEntries(hashes) => {
            stored.logged_sha256.is_some() && is_in(hashes, finding.leaf_hash.as_ref())
        }
        SearchKey::Indexes(indexes) => finding.index.is_some_and(|index| indexes.contains(&index)),
        SearchKey::Unreadable(watches) => {
            is_unreadable(stored) && is_in(watches, finding.watch.as_ref())
        }
    }
}

/// The names of a signer as they may be stored.
fn names(stored: &FoundSigning) -> Vec<String> {
    let sans = stored.finding.san.iter();
    let names = sans.flat_map(|san| std::iter::once(san.value.clone()).chain(other_forms(san)));
    names
        .map(|name| {
            let name = name.to_ascii_lowercase();
            name.chars().take(MAX_TERM_CHARS).collect()
        })
        .collect()
}

/// Where a search stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Position {
    /// The step.
    pub(super) key: usize,
    /// The last finding of it that was answered; `None`: it begins.
    pub(super) place: Option<Place>,
}
