//! A log that really hashes and signs, and can break every promise.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use modelwatch::http::HttpError;
use modelwatch::source::{Cause, Leaves, LogSource, ServerDate, SourceError};
use sha2::{Digest as _, Sha256};
use tlog::{CompactRange, Hash, KeyName, Split, Verifier, empty_root};

use super::clock::TestClock;
use super::who::Leaf;

/// Leaves in a full bundle (C2SP tlog-tiles).
pub const BUNDLE: u64 = 256;

/// A request to a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    Checkpoint,
    Leaves,
    Split,
}

impl Question {
    pub const ALL: [Self; 3] = [Self::Checkpoint, Self::Leaves, Self::Split];
}

/// From a checkpoint's text to signature lines.
type Lines = Box<dyn Fn(&str) -> String + Send>;

/// One log.
pub struct FakeLog {
    pub origin: String,
    key: Ed25519KeyPair,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The honest history, with which findings are compared.
    honest: Vec<Leaf>,
    /// The history that it signs; different from `honest` while it forks.
    signing: Vec<Leaf>,
    /// The size of the checkpoint that it shows.
    size: u64,
    frozen: bool,
    /// Shown instead of a checkpoint.
    forged_checkpoint: Option<Vec<u8>>,
    /// Served instead of the signed leaves.
    false_leaves: BTreeMap<u64, Leaf>,
    /// Bundles with leaves from here on are not there (yet).
    missing_from: Option<u64>,
    /// Questions for leaves from here on are never answered.
    silent_from: Option<u64>,
    /// (question, answers before it fails, failures).
    failing: Option<(Question, u32, u32)>,
    refused: u32,
    /// Refuses requests with a rate limit.
    limited: bool,
    /// How long it takes to answer a request for leaves, in seconds of this clock.
    slow: Option<(Arc<TestClock>, i64)>,
    /// More signature lines under a checkpoint's text.
    lines: Option<Lines>,
    /// The time of its server.
    date: Option<ServerDate>,
    /// Every leaf that some signed tree holds.
    committed: HashSet<(u64, Hash)>,
    roots: HashSet<(u64, Hash)>,
    largest: u64,
}

impl FakeLog {
    pub fn new(origin: &str) -> Self {
        let seed: [u8; 32] = Sha256::digest(origin).into();
        Self {
            origin: origin.to_owned(),
            key: Ed25519KeyPair::from_seed_unchecked(&seed).expect("any 32 bytes are a seed"),
            state: Mutex::default(),
        }
    }

    pub fn verifier(&self) -> Verifier {
        let name = KeyName::new(&self.origin).expect("a name without spaces");
        Verifier::ed25519(name, &self.public_key()).expect("a point of the curve")
    }

    fn public_key(&self) -> [u8; 32] {
        let key = self.key.public_key().as_ref();
        key.try_into().expect("32 bytes")
    }

    /// The key as PEM, for a configuration.
    pub fn public_key_pem(&self) -> String {
        // RFC 8410 §4: the SubjectPublicKeyInfo of an Ed25519 key is this prefix and the key.
        let prefix = *b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";
        let der = STANDARD.encode([&prefix[..], &self.public_key()].concat());
        format!("-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n")
    }

    // The true history. ------------------------------------------------------------------------

    /// Adds leaves and publishes a checkpoint that covers them.
    pub fn grow(&self, leaves: impl IntoIterator<Item = Leaf>) {
        let mut state = self.lock();
        for leaf in leaves {
            state.signing.push(leaf.clone());
            state.honest.push(leaf);
        }
        state.size = state.honest.len() as u64;
    }

    /// The truth, in order.
    pub fn truth(&self) -> Vec<Leaf> {
        self.lock().honest.clone()
    }

    /// Whether some tree that it signed holds this leaf there.
    pub fn committed_to(&self, index: u64, hash: Hash) -> bool {
        self.lock().committed.contains(&(index, hash))
    }

    /// Whether it signed this root.
    pub fn signed(&self, size: u64, root: Hash) -> bool {
        self.lock().roots.contains(&(size, root))
    }

    /// The largest size that it ever signed.
    pub fn largest(&self) -> u64 {
        self.lock().largest
    }

    /// Number of requests that it refused on behalf of the test.
    pub fn refused(&self) -> u32 {
        self.lock().refused
    }

    // The faults. -------------------------------------------------------------------------------

    /// Declares that it has ended.
    pub fn freeze(&self) {
        self.lock().frozen = true;
    }

    /// Shows a checkpoint of an earlier size.
    pub fn show(&self, size: u64) {
        self.lock().size = size;
    }

    /// Shows this instead of a checkpoint.
    pub fn forge_checkpoint(&self, bytes: &[u8]) {
        self.lock().forged_checkpoint = Some(bytes.to_vec());
    }

    /// Serves another leaf instead of the signed one.
    pub fn swap(&self, index: u64, leaf: Leaf) {
        self.lock().false_leaves.insert(index, leaf);
    }

    /// Serves its leaves without this one.
    pub fn drop_leaf(&self, index: u64) {
        let mut state = self.lock();
        let shifted: Vec<Leaf> = state
            .honest
            .iter()
            .skip(1 + index as usize)
            .cloned()
            .collect();
        for (at, leaf) in (index..).zip(shifted) {
            state.false_leaves.insert(at, leaf);
        }
    }

    /// Signs another history from here on; tiles and leaves agree with it.
    pub fn fork(&self, index: u64, leaf: Leaf) {
        self.lock().signing[index as usize] = leaf;
    }

    /// Bundles with leaves from here on are not there: tiles lag behind the checkpoint.
    pub fn hide_from(&self, index: u64) {
        self.lock().missing_from = Some(index);
    }

    /// Never answers requests for leaves from here on.
    pub fn stall_from(&self, index: u64) {
        self.lock().silent_from = Some(index);
    }

    /// Refuses `times` of these questions after it has answered `after`.
    pub fn refuse(&self, question: Question, after: u32, times: u32) {
        self.lock().failing = Some((question, after, times));
    }

    /// Answers every question with 429, or no longer.
    pub fn limit(&self, limited: bool) {
        self.lock().limited = limited;
    }

    /// Takes this many seconds of this clock for each request for leaves.
    pub fn slow(&self, clock: &Arc<TestClock>, seconds: i64) {
        self.lock().slow = Some((Arc::clone(clock), seconds));
    }

    /// Shows more signature lines under its checkpoints.
    pub fn sign_also(&self, lines: impl Fn(&str) -> String + Send + 'static) {
        self.lock().lines = Some(Box::new(lines));
    }

    /// Sets the time of its server.
    pub fn set_time(&self, now: Timestamp) {
        let host = self.origin.clone();
        self.lock().date = Some(ServerDate { host, now });
    }

    /// Serves the true history again.
    pub fn heal(&self) {
        let mut state = self.lock();
        let honest = state.honest.clone();
        state.signing = honest;
        state.size = state.honest.len() as u64;
        state.frozen = false;
        state.forged_checkpoint = None;
        state.false_leaves.clear();
        state.missing_from = None;
        state.silent_from = None;
        state.failing = None;
        state.limited = false;
        state.slow = None;
        state.lines = None;
        state.date = None;
    }

    // The served data. --------------------------------------------------------------------------

    /// Its checkpoint, signed now.
    pub fn note(&self) -> Vec<u8> {
        let mut state = self.lock();
        if let Some(forged) = &state.forged_checkpoint {
            return forged.clone();
        }
        let size = state.size;
        let root = root(&state.signing[..size as usize]);
        let leaves: Vec<_> = (0..size)
            .zip(state.signing.iter().map(|leaf| leaf.hash))
            .collect();
        state.committed.extend(leaves);
        state.roots.insert((size, root));
        state.largest = state.largest.max(size);
        let frozen = if state.frozen {
            "Log frozen \u{2014} Sat Nov 21 09:00:00 UTC 2026\n"
        } else {
            ""
        };
        let text = format!("{}\n{size}\n{}\n{frozen}", self.origin, root.to_base64());
        // C2SP signed-note: the key id is a hash over the name, the algorithm (1: Ed25519) and the key.
        let mut id = Sha256::new();
        id.update(format!("{}\n\x01", self.origin));
        id.update(self.public_key());
        let signature = self.key.sign(text.as_bytes());
        let signature = [&id.finalize()[..4], signature.as_ref()].concat();
        let signature = STANDARD.encode(signature);
        let more = state.lines.as_ref().map(|lines| lines(&text));
        let more = more.unwrap_or_default();
        format!("{text}\n\u{2014} {} {signature}\n{more}", self.origin).into_bytes()
    }

    /// An entry bundle as a server would publish it (C2SP tlog-tiles), for leaves of `range`.
    pub fn bundle_bytes(&self, range: Range<u64>) -> Option<Vec<u8>> {
        let state = self.lock();
        let mut bytes = Vec::new();
        for index in range {
            let leaf = state.serve(index)?;
            let length = u16::try_from(leaf.bytes.len()).expect("leaves of tests are short");
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(&leaf.bytes);
        }
        Some(bytes)
    }

    fn asked(&self, question: Question) -> Result<(), SourceError> {
        let mut state = self.lock();
        if state.limited {
            let (url, retry_after) = (self.origin.clone(), Duration::from_mins(10));
            let status = 429;
            return Err(SourceError::RateLimited {
                resource: format!("{question:?}"),
                retry_after,
                cause: Cause::Http(HttpError::RateLimited {
                    url,
                    status,
                    retry_after,
                    message: None,
                }),
            });
        }
        let Some((failing, after, times)) = &mut state.failing else {
            return Ok(());
        };
        if *failing != question || *times == 0 {
            return Ok(());
        }
        if *after > 0 {
            *after -= 1;
            return Ok(());
        }
        *times -= 1;
        state.refused += 1;
        Err(SourceError::Unavailable {
            resource: format!("{question:?}"),
            cause: Cause::Io(std::io::ErrorKind::ConnectionReset.into()),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under it")
    }
}

impl State {
    fn serve(&self, index: u64) -> Option<&Leaf> {
        self.false_leaves
            .get(&index)
            .or_else(|| self.signing.get(index as usize))
    }
}

#[async_trait]
impl LogSource for FakeLog {
    async fn checkpoint(&self) -> Result<Bytes, SourceError> {
        self.asked(Question::Checkpoint)?;
        Ok(self.note().into())
    }

    fn bundle(&self, index: u64, size: u64) -> Range<u64> {
        let start = index / BUNDLE * BUNDLE;
        start..size.min(start + BUNDLE)
    }

    async fn leaves(&self, want: Range<u64>, size: u64) -> Result<Leaves, SourceError> {
        self.asked(Question::Leaves)?;
        if let Some((clock, seconds)) = &self.lock().slow {
            clock.advance(*seconds);
        }
        let silent_from = self.lock().silent_from;
        if silent_from.is_some_and(|from| want.end > from) {
            std::future::pending::<()>().await;
        }
        let state = self.lock();
        let bundle = self.bundle(want.start, size);
        assert!(
            want.end <= bundle.end,
            "{want:?} is not within one bundle of {size}"
        );
        let served: Option<Vec<_>> = want
            .clone()
            .map(|index| state.serve(index).map(|leaf| &leaf.bytes))
            .collect();
        let missing = state.missing_from.is_some_and(|from| bundle.end > from);
        match served {
            Some(served) if !missing => {
                Ok(Leaves::copied(want.start, served).expect("they are few"))
            }
            _ => Err(SourceError::Absent {
                resource: format!("the bundle {bundle:?}"),
                tried: "a log that does not exist".to_owned(),
            }),
        }
    }

    async fn split(&self, at: u64, size: u64) -> Result<Split, SourceError> {
        self.asked(Question::Split)?;
        let state = self.lock();
        let (left, right) = Split::nodes(at, size).expect("within the tree");
        if size as usize > state.signing.len() {
            return Err(SourceError::Absent {
                resource: format!("the tiles of {size}"),
                tried: "a log that does not exist".to_owned(),
            });
        }
        let hash = |node: &tlog::Node| {
            let from = (node.index << node.level) as usize;
            root(&state.signing[from..from + (1 << node.level)])
        };
        let left = left.iter().map(hash).collect();
        let right = right.iter().map(hash).collect();
        Ok(Split::new(at, size, left, right).expect("the nodes that it names"))
    }

    fn date(&self) -> Option<ServerDate> {
        self.lock().date.clone()
    }
}

fn root(leaves: &[Leaf]) -> Hash {
    if leaves.is_empty() {
        return empty_root();
    }
    let mut range = CompactRange::new();
    for leaf in leaves {
        range.push(leaf.hash);
    }
    range.root()
}
