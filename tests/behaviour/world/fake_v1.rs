//! A Rekor v1 log on loopback: several trees that really hash and sign, and every way of not keeping up.

use std::sync::{Arc, Mutex, MutexGuard};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tlog::Hash;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::fake_index::{FakeIndex, HANGS};
use super::merkle::{root, subproof};
use super::who::Leaf;

const HOST: &str = "rekor.test";

/// When entries of bundles were logged, in seconds of Unix time: 2026-11-18.
const INTEGRATED: i64 = 1_795_000_000;

/// The name of another log.
pub const OTHER_HOST: &str = "other.test";

/// The faults of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Anomaly {
    /// The first request for several entries is answered without this one.
    DropsOnce(u64),
    /// No answer ever holds this entry.
    Hides(u64),
    /// Each request for this entry fails with this status.
    Fails(u64, u16),
    /// This entry is served with another body than the signed one.
    Swaps(u64),
    /// This entry is served with an inclusion proof of another one.
    Misproves(u64),
    /// The body of this entry is not base64.
    Garbles(u64),
    /// This entry is in each answer twice.
    Doubles(u64),
    /// Each answer with this entry contains the next one too, requested or not.
    AddsNext(u64),
    /// This entry is named as one of another tree.
    Renames(u64),
    /// The index of this entry in its tree is one too large.
    Moves(u64),
    /// This entry is served with this attestation, in base64.
    Attests(u64, Vec<u8>),
    /// Until entries are requested, only the oldest tree is listed, as the one that grows.
    RotatesMeanwhile,
    /// The first request for entries is refused with 429 and this header.
    Refuses(&'static str),
    /// Every request for entries is.
    RefusesAlways(&'static str),
    /// The oldest tree is not listed.
    ForgetsOldest,
    /// The older trees are listed the other way round.
    Reorders,
    /// No answer.
    Down,
    /// It got too many requests, and requests a pause of ten minutes.
    Limits,
}

struct Tree {
    host: &'static str,
    id: u64,
    leaves: Vec<Leaf>,
    /// Leaves that its checkpoint covers.
    shown: usize,
    key: Arc<Key>,
}

struct Key {
    pair: EcdsaKeyPair,
    spki: Vec<u8>,
}

#[derive(Default)]
struct State {
    trees: Vec<Tree>,
    odd: Vec<Anomaly>,
    dropped: bool,
    index: FakeIndex,
    /// Every request: its path, and its body.
    asked: Vec<(String, String)>,
    /// (part of a path, answers before it fails, failures, with which status).
    failing: Option<(&'static str, u32, u32, u16)>,
    /// Number of requests for entries.
    retrieved: usize,
}

/// One log.
pub struct FakeV1 {
    pub url: Url,
    host: &'static str,
    state: Arc<Mutex<State>>,
}

impl FakeV1 {
    pub async fn start() -> Self {
        Self::start_as(HOST).await
    }

    pub async fn start_as(host: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("bound");
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                tokio::spawn(async move {
                    // A client that closes the connection is no failure of the test.
                    let _ = serve(stream, &state).await;
                });
            }
        });
        Self {
            url: format!("http://{address}/").parse().expect("a URL"),
            host,
            state,
        }
    }

    /// Begins another tree with its own key, and returns that key.
    pub fn rotate(&self, id: u64) -> Vec<u8> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
        // RFC 5480: the SubjectPublicKeyInfo of a P-256 key is this prefix and the uncompressed point.
        let prefix = hex::decode("3059301306072a8648ce3d020106082a8648ce3d030107034200");
        let mut spki = prefix.expect("hex");
        spki.extend_from_slice(pair.public_key().as_ref());
        let key = Arc::new(Key {
            pair,
            spki: spki.clone(),
        });
        self.lock().trees.push(Tree {
            host: self.host,
            id,
            leaves: Vec::new(),
            shown: 0,
            key,
        });
        spki
    }

    /// Adds leaves to the tree at this place, and shows a checkpoint that covers them.
    pub fn grow(&self, tree: usize, leaves: impl IntoIterator<Item = Leaf>) {
        let tree = &mut self.lock().trees[tree];
        tree.leaves.extend(leaves);
        tree.shown = tree.leaves.len();
    }

    /// Shows a checkpoint of another size.
    pub fn show(&self, tree: usize, size: usize) {
        self.lock().trees[tree].shown = size;
    }

    /// Signs another history: one leaf is another one from now on.
    pub fn fork(&self, tree: usize, local: usize, leaf: Leaf) {
        self.lock().trees[tree].leaves[local] = leaf;
    }

    pub fn odd(&self, anomaly: Anomaly) {
        self.lock().odd.push(anomaly);
    }

    /// Ends all faults.
    pub fn heal(&self) {
        let mut state = self.lock();
        state.odd.clear();
        state.failing = None;
    }

    /// Number of requests for entries.
    pub fn retrieved(&self) -> usize {
        self.lock().retrieved
    }

    pub fn origin(&self, tree: usize) -> String {
        self.lock().trees[tree].origin()
    }

    /// Its search index.
    pub fn index<T>(&self, change: impl FnOnce(&mut FakeIndex) -> T) -> T {
        change(&mut self.lock().index)
    }

    /// The id of an entry.
    pub fn id(&self, tree: usize, local: usize) -> String {
        let tree = &self.lock().trees[tree];
        tree.id_of(&tree.leaves[local])
    }

    /// An entry as a bundle names it, with the log's promise and its proof in the tree as it is shown now.
    pub fn in_bundle(&self, tree: usize, local: usize, (kind, version): (&str, &str)) -> Value {
        let state = self.lock();
        let before: usize = state.trees[..tree].iter().map(|t| t.leaves.len()).sum();
        state.trees[tree].in_bundle(local, before + local, (kind, version))
    }

    /// Adds a leaf to the last tree, publishes a checkpoint that covers it, and adds it to the index under this name.
    /// Returns its global index.
    pub fn log(&self, leaf: Leaf, name: &str) -> u64 {
        let (tree, local, before) = {
            let state = self.lock();
            let last = state.trees.len() - 1;
            let before: usize = state.trees[..last].iter().map(|t| t.leaves.len()).sum();
            (last, state.trees[last].leaves.len(), before)
        };
        self.grow(tree, [leaf]);
        let id = self.id(tree, local);
        self.index(|index| index.file(name, &id));
        (before + local) as u64
    }

    /// Answers `times` requests whose path contains this with a status, after `after` successful ones.
    pub fn fail(&self, path: &'static str, after: u32, times: u32, status: u16) {
        self.lock().failing = Some((path, after, times, status));
    }

    /// How many requests were made whose path and question hold this, since the last time of asking.
    pub fn asked(&self, what: &str) -> usize {
        let state = self.lock();
        let is = |(path, question): &&(String, String)| format!("{path} {question}").contains(what);
        state.asked.iter().filter(is).count()
    }

    /// Clears the recorded requests.
    pub fn count_anew(&self) {
        self.lock().asked.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under it")
    }
}

impl Tree {
    fn origin(&self) -> String {
        format!("{} - {}", self.host, self.id)
    }

    fn id_of(&self, leaf: &Leaf) -> String {
        format!("{:016x}{}", self.id, leaf.hash.to_hex())
    }

    fn hashes(&self, size: usize) -> Vec<Hash> {
        self.leaves[..size].iter().map(|leaf| leaf.hash).collect()
    }

    fn head(&self) -> Value {
        let root = root(&self.hashes(self.shown));
        json!({
            "treeID": self.id.to_string(), "treeSize": self.shown,
            "rootHash": root.to_hex(), "signedTreeHead": self.note(self.shown, root),
        })
    }

    fn in_bundle(&self, local: usize, global: usize, (kind, version): (&str, &str)) -> Value {
        let hashes = self.hashes(self.shown);
        let root = root(&hashes);
        let path: Vec<String> = path(local, &hashes).iter().map(Hash::to_base64).collect();
        let body = STANDARD.encode(&self.leaves[local].bytes);
        let id = Sha256::digest(&self.key.spki);
        // Rekor signs this JSON with sorted keys.
        let promised = json!({
            "body": body, "integratedTime": INTEGRATED, "logID": hex::encode(id), "logIndex": global,
        });
        let promise = self
            .key
            .pair
            .sign(&SystemRandom::new(), promised.to_string().as_bytes())
            .expect("a signature");
        json!({
            "logIndex": global.to_string(),
            "logId": {"keyId": STANDARD.encode(id)},
            "kindVersion": {"kind": kind, "version": version},
            "integratedTime": INTEGRATED.to_string(),
            "inclusionPromise": {"signedEntryTimestamp": STANDARD.encode(promise)},
            "inclusionProof": {
                "logIndex": local.to_string(), "rootHash": root.to_base64(),
                "treeSize": self.shown.to_string(), "hashes": path,
                "checkpoint": {"envelope": self.note(self.shown, root)},
            },
            "canonicalizedBody": body,
        })
    }

    fn note(&self, size: usize, root: Hash) -> String {
        let text = format!("{}\n{size}\n{}\n", self.origin(), root.to_base64());
        let signature = self.key.pair.sign(&SystemRandom::new(), text.as_bytes());
        let hint = Sha256::digest(&self.key.spki);
        let line = [&hint[..4], signature.expect("a signature").as_ref()].concat();
        format!("{text}\n\u{2014} {} {}\n", self.host, STANDARD.encode(line))
    }
}

impl State {
    fn log(&self) -> Value {
        let mut trees: Vec<&Tree> = self.trees.iter().collect();
        if self.odd.contains(&Anomaly::RotatesMeanwhile) {
            trees.truncate(1);
        }
        if self.odd.contains(&Anomaly::ForgetsOldest) {
            trees.remove(0);
        }
        if self.odd.contains(&Anomaly::Reorders) {
            let last = trees.len() - 1;
            trees[..last].reverse();
        }
        let (active, older) = trees.split_last().expect("a tree");
        let mut log = active.head();
        log["inactiveShards"] = older.iter().map(|tree| tree.head()).collect();
        log
    }

    fn entry(&self, global: u64) -> Option<Value> {
        let mut local = global as usize;
        let tree = self.trees.iter().enumerate().find(|(place, tree)| {
            let last = place + 1 == self.trees.len();
            if last || local < tree.leaves.len() {
                return true;
            }
            local -= tree.leaves.len();
            false
        });
        let (_, tree) = tree?;
        let leaf = tree.leaves.get(local)?;
        let size = tree.leaves.len();
        let hashes = tree.hashes(size);
        let mut body = leaf.bytes.to_vec();
        if self.odd.contains(&Anomaly::Swaps(global)) {
            body.push(b' ');
        }
        let proven = if self.odd.contains(&Anomaly::Misproves(global)) {
            local ^ 1
        } else {
            local
        };
        let path: Vec<String> = path(proven, &hashes).iter().map(Hash::to_hex).collect();
        let is = |anomaly| self.odd.contains(&anomaly);
        let body = if is(Anomaly::Garbles(global)) {
            "?".to_owned()
        } else {
            STANDARD.encode(body)
        };
        let tree_id = tree.id ^ u64::from(is(Anomaly::Renames(global)));
        let place = local + usize::from(is(Anomaly::Moves(global)));
        let root = root(&hashes);
        let mut entry = json!({
            "body": body, "integratedTime": 1, "logID": "00", "logIndex": global,
            "verification": {"inclusionProof": {
                "hashes": path, "logIndex": place, "treeSize": size, "rootHash": root.to_hex(),
                "checkpoint": tree.note(size, root),
            }},
        });
        for anomaly in &self.odd {
            if let Anomaly::Attests(index, data) = anomaly
                && *index == global
            {
                entry["attestation"] = json!({"data": STANDARD.encode(data)});
            }
        }
        Some(json!({ format!("{tree_id:016x}{}", leaf.hash.to_hex()): entry }))
    }

    /// The global index of the entry with this id.
    fn find(&self, id: &str) -> Option<u64> {
        let mut leaves = self
            .trees
            .iter()
            .flat_map(|tree| tree.leaves.iter().map(move |leaf| tree.id_of(leaf)));
        leaves
            .position(|there| there == id)
            .map(|place| place as u64)
    }

    /// The requested consistency proof.
    fn consistency(&self, query: &str) -> (u16, Value) {
        let asked = |key: &str| -> &str {
            let pair = query
                .split('&')
                .find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
            pair.expect("a whole question")
        };
        let tree = self
            .trees
            .iter()
            .find(|tree| tree.id.to_string() == asked("treeID"));
        let tree = tree.expect("one of its own");
        let size = |key: &str| -> usize { asked(key).parse().expect("a number") };
        let (first, last) = (size("firstSize"), size("lastSize"));
        if last > tree.leaves.len() {
            let message = format!(
                "the tree size requested({last}) was greater than what is currently observable({})",
                tree.leaves.len()
            );
            return (400, json!({"code": 400, "message": message}));
        }
        let hashes = subproof(first, &tree.hashes(last), true);
        let hashes: Vec<String> = hashes.iter().map(Hash::to_hex).collect();
        (
            200,
            json!({"rootHash": root(&tree.hashes(last)).to_hex(), "hashes": hashes}),
        )
    }

    /// Status, more headers, and body.
    fn answer(&mut self, path: &str, body: &[u8]) -> (u16, &'static str, Value) {
        let question = String::from_utf8_lossy(body).into_owned();
        self.asked.push((path.to_owned(), question));
        if path == "/api/v1/log/entries/retrieve" {
            self.retrieved += 1;
            self.odd.retain(|odd| *odd != Anomaly::RotatesMeanwhile);
            for (place, anomaly) in self.odd.iter().enumerate() {
                match anomaly {
                    Anomaly::RefusesAlways(header) => return (429, header, Value::Null),
                    Anomaly::Refuses(header) => {
                        let header = *header;
                        self.odd.remove(place);
                        return (429, header, Value::Null);
                    }
                    _ => {}
                }
            }
        }
        let (status, body) = self.respond(path, body);
        let more = if status == 429 {
            "Retry-After: 600\r\n"
        } else {
            ""
        };
        (status, more, body)
    }

    fn respond(&mut self, path: &str, body: &[u8]) -> (u16, Value) {
        if self.odd.contains(&Anomaly::Down) {
            return (400, json!({"code": 400, "message": "down"}));
        }
        if self.odd.contains(&Anomaly::Limits) {
            return (429, json!({"code": 429, "message": "too many requests"}));
        }
        if let Some((failing, after, times, status)) = &mut self.failing
            && path.contains(*failing)
        {
            if *after > 0 {
                *after -= 1;
            } else if *times > 0 {
                *times -= 1;
                return (*status, json!({"code": *status, "message": "later"}));
            }
        }
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        match path {
            "/api/v1/log" => (200, self.log()),
            "/api/v1/log/proof" => self.consistency(query),
            "/api/v1/index/retrieve" => self
                .index
                .answer(&serde_json::from_slice(body).expect("JSON")),
            "/api/v1/log/entries/retrieve" => {
                let question: Value = serde_json::from_slice(body).expect("JSON");
                if let Some(ids) = question["entryUUIDs"].as_array() {
                    assert!(ids.len() <= 10, "{question}");
                    let ids = ids.iter().map(|id| id.as_str().expect("an id"));
                    let found: Vec<u64> = ids.filter_map(|id| self.find(id)).collect();
                    for anomaly in &self.odd {
                        if let Anomaly::Fails(index, status) = anomaly
                            && found.contains(index)
                        {
                            return (*status, json!({"code": status, "message": "later"}));
                        }
                    }
                    let found = found.into_iter();
                    let found = found.filter(|index| !self.odd.contains(&Anomaly::Hides(*index)));
                    return (200, found.filter_map(|index| self.entry(index)).collect());
                }
                let asked = question["logIndexes"].as_array().expect("a list");
                assert!(asked.len() <= 10, "{question}");
                let once = self.odd.iter().find_map(|odd| match odd {
                    Anomaly::DropsOnce(index) if !self.dropped => Some(*index),
                    _ => None,
                });
                let asked: Vec<u64> = asked
                    .iter()
                    .map(|i| i.as_u64().expect("an index"))
                    .collect();
                self.dropped |= once.is_some_and(|index| asked.contains(&index));
                let shown = |index: &u64| {
                    once != Some(*index) && !self.odd.contains(&Anomaly::Hides(*index))
                };
                // In another order than requested: a server promises none.
                let mut indexes: Vec<u64> = asked.iter().rev().copied().filter(shown).collect();
                for anomaly in &self.odd {
                    match anomaly {
                        Anomaly::Doubles(index) if asked.contains(index) => indexes.push(*index),
                        Anomaly::AddsNext(index) if asked.contains(index) => {
                            indexes.push(index + 1);
                        }
                        _ => {}
                    }
                }
                let entries = indexes.iter().filter_map(|index| self.entry(*index));
                (200, entries.collect())
            }
            _ => (404, Value::Null),
        }
    }
}

async fn serve(stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut path, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 || line == "\r\n" {
            break;
        }
        if path.is_empty() {
            line.split(' ')
                .nth(1)
                .unwrap_or_default()
                .clone_into(&mut path);
        } else if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a number");
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let (status, more, answer) = state
        .lock()
        .expect("nothing panics under it")
        .answer(&path, &body);
    if status == HANGS {
        return std::future::pending().await;
    }
    let answer = answer.to_string();
    let head = format!(
        "HTTP/1.1 {status} X\r\nConnection: close\r\n{more}Content-Length: {}\r\n\r\n",
        answer.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

/// PATH(m, D), RFC 6962 §2.1.1.
fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut proof, sibling) = if index < left.len() {
        (path(index, left), root(right))
    } else {
        (path(index - left.len(), right), root(left))
    };
    proof.push(sibling);
    proof
}
