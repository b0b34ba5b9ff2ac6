//! All watches, compiled once: which of them select a signer.

use core::net::IpAddr;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, BuildError, MatchKind};

use super::beginnings::Beginnings;
use super::definition::Watch;
use super::index_key::{IndexKey, choose, traces};
use super::subject::Subject;
use crate::identity::{Extension, Signer};

/// A name or value of at most this many bytes is converted to lower case on the stack; those of workflows have about a
/// hundred.
const SHORT_SAN_BYTES: usize = 256;

/// A watch that selects a signing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// The watch: its place in the list that was compiled.
    pub watch: usize,
    /// Whether the signing is in the watch's `shape`; `None` if it has none.
    pub in_shape: Option<bool>,
    /// Whether it was selected by its key or by exactly its certificate: then the signature proves who signed, and the
    /// certificate's chain does not matter.
    pub by_key: bool,
}

/// Why watches cannot be compiled.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// Findings are distinguished by the name of their watch.
    #[error("two watches are named {name:?}")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// It would select every signing of every log.
    #[error("watch {name:?} has no conditions")]
    NoConditions {
        /// The watch.
        name: String,
    },
    /// Signings in shape wait; without a shape no signing would.
    #[error("watch {name:?} has a hold but no shape")]
    HoldWithoutShape {
        /// The watch.
        name: String,
    },
    /// The texts to search for exceed the size of an automaton.
    #[error("too many texts to search for")]
    TooManyTexts(#[from] BuildError),
}

/// Every watch, ready to be compared with signers: thousands cost about what ten do.
#[derive(Debug)]
pub struct Watches {
    list: Vec<Watch>,
    keys: HashMap<[u8; 32], Vec<usize>>,
    certificates: HashMap<[u8; 32], Vec<usize>>,
    sans: HashMap<Vec<u8>, Vec<usize>>,
    extensions: Vec<(Extension, HashMap<String, Vec<usize>>)>,
    issuers: HashMap<String, Vec<usize>>,
    beginnings: Beginnings,
    literals: Texts,
    extension_literals: Vec<(Extension, Texts)>,
    everything: Vec<usize>,
    /// The texts for [`Self::literals_in`]. Built at the first leaf that cannot be parsed: this is rare, and the
    /// automaton is most of the cost of a thousand watches at the start.
    traces: OnceLock<Texts>,
}

impl Watches {
    /// Compiles watches.
    ///
    /// # Errors
    ///
    /// If a watch is not one ([`WatchError`]); `config` finds all such mistakes at once before.
    pub fn compile(watches: Vec<Watch>) -> Result<Self, WatchError> {
        refuse_mistakes(&watches)?;
        let mut compiled = Self {
            keys: HashMap::new(),
            certificates: HashMap::new(),
            sans: HashMap::new(),
            extensions: Vec::new(),
            issuers: HashMap::new(),
            beginnings: Beginnings::default(),
            literals: Texts::default(),
            extension_literals: Vec::new(),
            everything: Vec::new(),
            traces: OnceLock::new(),
            list: Vec::new(),
        };
        let (mut beginnings, mut literals) = (Vec::new(), Vec::new());
        let mut extension_literals: BTreeMap<Extension, Vec<_>> = BTreeMap::new();
        for (index, index_keys) in choose(&watches).into_iter().enumerate() {
            let Some(index_keys) = index_keys else {
                compiled.everything.push(index);
                continue;
            };
            for index_key in index_keys {
                match index_key {
                    IndexKey::Key(digest) => compiled.keys.entry(digest).or_default().push(index),
                    IndexKey::Certificate(digest) => {
                        compiled.certificates.entry(digest).or_default().push(index);
                    }
                    IndexKey::San(san) => {
                        compiled
                            .sans
                            .entry(san.into_bytes())
                            .or_default()
                            .push(index);
                    }
                    IndexKey::Extension(extension, value) => {
                        compiled
                            .values_of(extension)
                            .entry(value)
                            .or_default()
                            .push(index);
                    }
                    IndexKey::Issuer(issuer) => {
                        compiled.issuers.entry(issuer).or_default().push(index);
                    }
                    IndexKey::Beginning(text) => beginnings.push((text.into_bytes(), index)),
                    IndexKey::Literal(literal) => literals.push((literal.into_bytes(), index)),
                    IndexKey::ExtensionLiteral(extension, literal) => {
                        let texts = extension_literals.entry(extension).or_default();
                        texts.push((literal.into_bytes(), index));
                    }
                }
            }
        }
        compiled.beginnings = Beginnings::new(beginnings);
        compiled.literals = Texts::new(literals)?;
        for (extension, literals) in extension_literals {
            let texts = Texts::new(literals)?;
            compiled.extension_literals.push((extension, texts));
        }
        compiled.list = watches;
        Ok(compiled)
    }

    /// Appends a match to `found` for each watch that selects the signer, in the order of the watches.
    pub fn matches(&self, signer: &Signer, found: &mut Vec<Match>) {
        let start = found.len();
        let subject = Subject::new(signer);
        self.candidates(&subject, &mut |watches: &[usize]| {
            found.extend(watches.iter().map(|&watch| Match {
                watch,
                in_shape: None,
                by_key: false,
            }));
        });
        if found.len() == start {
            return;
        }
        found[start..].sort_unstable_by_key(|candidate| candidate.watch);
        let mut kept = start;
        let mut before = None;
        for next in start..found.len() {
            let watch = found[next].watch;
            if before.replace(watch) == Some(watch) {
                continue;
            }
            if let Some(selected) = self.list[watch].judge(&subject) {
                found[kept] = Match {
                    watch,
                    in_shape: selected.in_shape,
                    by_key: selected.by_key,
                };
                kept += 1;
            }
        }
        found.truncate(kept);
    }

    /// The watches with a text that occurs in `bytes`, in any case and in any encoding of strings in certificates; for
    /// a leaf that cannot be parsed.
    ///
    /// The text is the most specific one of the watch; watches by digests alone have none.
    pub fn literals_in(&self, bytes: &[u8]) -> Vec<usize> {
        let traces = self.traces();
        let mut found = Vec::new();
        if traces.is_empty() {
            return found;
        }
        // To convert such a leaf, which is rare, costs less than an automaton for both cases at each start.
        let mut folded = bytes.to_ascii_lowercase();
        let mut give = |watches: &[usize]| found.extend_from_slice(watches);
        traces.occurring(&folded, &mut give);
        // BMPString and UniversalString are UTF-16 and UTF-32 (X.690 §8.23.7): ASCII with zeros between.
        if has_wide_text(&folded) {
            folded.retain(|byte| *byte != 0);
            traces.occurring(&folded, &mut give);
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The watches with the certificate of that SHA-256, whatever their other conditions; for a certificate that cannot
    /// be parsed.
    pub fn naming_certificate(&self, sha256: &[u8; 32]) -> impl Iterator<Item = usize> {
        let names = |watch: &Watch| {
            watch
                .sets()
                .any(|conditions| conditions.certificate_sha256.contains(sha256))
        };
        let watches = self.list.iter().enumerate();
        watches
            .filter(move |(_, watch)| names(watch))
            .map(|(index, _)| index)
    }

    /// Whether a watch names a certificate by its hash.
    pub fn name_certificates(&self) -> bool {
        let mut watches = self.list.iter();
        watches.any(|watch| {
            watch
                .sets()
                .any(|conditions| !conditions.certificate_sha256.is_empty())
        })
    }

    /// The watches that select by something that is not text in a leaf: a key, a certificate, an IP address or an
    /// otherName in numbers.
    pub fn without_text(&self) -> impl Iterator<Item = usize> {
        let is_numbers = |name: &String| {
            name.parse::<IpAddr>().is_ok()
                || (name.split_once(':')).is_some_and(|(oid, _)| {
                    !oid.is_empty() && oid.bytes().all(|b| b == b'.' || b.is_ascii_digit())
                })
        };
        let has_no_text = move |watch: &Watch| {
            watch
                .sets()
                .any(|conditions| conditions.names_key() || conditions.san.iter().any(is_numbers))
        };
        let watches = self.list.iter().enumerate();
        watches
            .filter(move |(_, watch)| has_no_text(watch))
            .map(|(index, _)| index)
    }

    fn traces(&self) -> &Texts {
        self.traces.get_or_init(|| {
            let texts = self.list.iter().enumerate().flat_map(|(index, watch)| {
                let texts = traces(watch).into_iter();
                texts
                    .flat_map(move |text| encoded(&text).into_iter().map(move |text| (text, index)))
            });
            let texts: Vec<_> = texts.collect();
            // More texts than an automaton can address are gigabytes, which no configuration file may have.
            Texts::new(texts).expect("a configuration is too short for so many texts")
        })
    }

    /// The watch at a place that a [`Match`] named.
    ///
    /// # Panics
    ///
    /// `None` if there are fewer.
    pub fn get(&self, index: usize) -> &Watch {
        &self.list[index]
    }

    /// The place of the watch of that name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.list.iter().position(|watch| watch.name == name)
    }

    /// All watches, in the order of the configuration.
    pub fn iter(&self) -> std::slice::Iter<'_, Watch> {
        self.list.iter()
    }

    fn values_of(&mut self, wanted: Extension) -> &mut HashMap<String, Vec<usize>> {
        let place = self
            .extensions
            .iter()
            .position(|(extension, _)| *extension == wanted)
            .unwrap_or_else(|| {
                self.extensions.push((wanted, HashMap::new()));
                self.extensions.len() - 1
            });
        &mut self.extensions[place].1
    }

    /// Gives every watch that could select the signer, some of them several times.
    fn candidates(&self, subject: &Subject<'_>, give: &mut dyn FnMut(&[usize])) {
        give(&self.everything);
        if !self.keys.is_empty() {
            for hash in subject.key_hashes() {
                if let Some(watches) = self.keys.get(hash) {
                    give(watches);
                }
            }
        }
        if !self.certificates.is_empty() {
            for hash in subject.certificate_hashes() {
                if let Some(watches) = self.certificates.get(hash) {
                    give(watches);
                }
            }
        }
        if !(self.sans.is_empty() && self.beginnings.is_empty() && self.literals.is_empty()) {
            for name in subject.names() {
                folded(name, |san| {
                    if let Some(watches) = self.sans.get(san) {
                        give(watches);
                    }
                    self.beginnings.of(san, give);
                    self.literals.occurring(san, give);
                });
            }
        }
        for (wanted, values) in &self.extensions {
            for value in subject.extension(*wanted) {
                if let Some(watches) = values.get(value) {
                    give(watches);
                }
            }
        }
        for (wanted, texts) in &self.extension_literals {
            for value in subject.extension(*wanted) {
                folded(value, |value| texts.occurring(value, give));
            }
        }
        if !self.issuers.is_empty() {
            for issuer in subject.issuers() {
                if let Some(watches) = self.issuers.get(issuer) {
                    give(watches);
                }
            }
        }
    }
}

impl<'a> IntoIterator for &'a Watches {
    type Item = &'a Watch;
    type IntoIter = std::slice::Iter<'a, Watch>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

fn refuse_mistakes(watches: &[Watch]) -> Result<(), WatchError> {
    let mut names = HashSet::new();
    for watch in watches {
        let name = || watch.name.clone();
        if !names.insert(watch.name.as_str()) {
            return Err(WatchError::DuplicateName { name: name() });
        }
        let selects_nothing_special = if watch.any.is_empty() {
            watch.conditions.is_empty()
        } else {
            watch.any.iter().any(super::Conditions::is_empty)
        };
        if selects_nothing_special {
            return Err(WatchError::NoConditions { name: name() });
        }
        if watch.hold.is_some() && watch.shape.is_none() {
            return Err(WatchError::HoldWithoutShape { name: name() });
        }
    }
    Ok(())
}

/// Passes on the ASCII lower case of a text; allocates only for a long text with upper case.
fn folded(text: &str, then: impl FnOnce(&[u8])) {
    let bytes = text.as_bytes();
    let mut buffer = [0; SHORT_SAN_BYTES];
    if !bytes.iter().any(u8::is_ascii_uppercase) {
        then(bytes);
    } else if let Some(short) = buffer.get_mut(..bytes.len()) {
        short.copy_from_slice(bytes);
        short.make_ascii_lowercase();
        then(short);
    } else {
        then(&bytes.to_ascii_lowercase());
    }
}

/// Whether there may be ASCII text in UTF-16 or UTF-32: every other byte is zero, three times in a row.
fn has_wide_text(bytes: &[u8]) -> bool {
    let is_zero = |at: usize| bytes.get(at) == Some(&0);
    memchr::memchr_iter(0, bytes).any(|at| is_zero(at + 2) && is_zero(at + 4))
}

/// A text in the encodings of strings in certificates, in ASCII lower case and without zeros: UTF-8, the first 256
/// characters of Unicode in one byte each (T61String, as most parsers read it), UTF-16 in both byte orders.
fn encoded(text: &str) -> Vec<Vec<u8>> {
    let mut encoded = vec![text.as_bytes().to_ascii_lowercase()];
    if text.is_ascii() {
        return encoded;
    }
    let latin: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for mut bytes in latin.into_iter().chain([big, little]) {
        bytes.retain(|byte| *byte != 0);
        bytes.make_ascii_lowercase();
        if !encoded.contains(&bytes) {
            encoded.push(bytes);
        }
    }
    encoded
}

/// Texts in ASCII lower case, each with the watches that search it, found in one pass whatever their number.
#[derive(Debug, Default)]
struct Texts {
    /// `None` if there is no text to search.
    automaton: Option<AhoCorasick>,
    /// For each text of the automaton, its watches.
    watches: Vec<Vec<usize>>,
}

impl Texts {
    fn new(texts: impl IntoIterator<Item = (Vec<u8>, usize)>) -> Result<Self, BuildError> {
        let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut patterns = Vec::new();
        let mut watches: Vec<Vec<usize>> = Vec::new();
        for (text, watch) in texts {
            let place = *places.entry(text).or_insert_with_key(|text| {
                patterns.push(text.clone());
                watches.push(Vec::new());
                watches.len() - 1
            });
            watches[place].push(watch);
        }
        let automaton = if patterns.is_empty() {
            None
        } else {
            Some(
                AhoCorasickBuilder::new()
                    .match_kind(MatchKind::Standard)
                    .build(&patterns)?,
            )
        };
        Ok(Self { automaton, watches })
    }

    fn is_empty(&self) -> bool {
        self.automaton.is_none()
    }

    fn occurring(&self, bytes: &[u8], give: &mut dyn FnMut(&[usize])) {
        if let Some(automaton) = &self.automaton {
            for occurrence in automaton.find_overlapping_iter(bytes) {
                give(&self.watches[occurrence.pattern().as_usize()]);
            }
        }
    }
}
