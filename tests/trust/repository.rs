//! A TUF repository that signs what a test requires, and can serve earlier versions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::server::{Answer, Server};

const TRUSTED_ROOT: &str = include_str!("../data/trust/harbor.json");

/// Everything that a repository serves, by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// One repository. Every role but the timestamp's has one key.
pub struct Repository {
    key: Ed25519KeyPair,
    timestamp_key: Ed25519KeyPair,
    roots: u64,
    version: u64,
    expires: &'static str,
    pub files: Files,
}

impl Repository {
    /// With a first root.
    pub fn new(seed: u8) -> Self {
        let mut repository = Self {
            key: key(seed),
            timestamp_key: key(seed ^ 0x80),
            roots: 0,
            version: 0,
            expires: "2040-01-01T00:00:00Z",
            files: Files::new(),
        };
        repository.another_root();
        repository
    }

    /// A root like the one before.
    pub fn another_root(&mut self) {
        self.roots += 1;
        let public = |key: &Ed25519KeyPair| {
            json!({
                "keytype": "ed25519", "scheme": "ed25519",
                "keyval": { "public": hex::encode(key.public_key().as_ref()) },
            })
        };
        let role = json!({ "keyids": ["all"], "threshold": 1 });
        let root = json!({
            "_type": "root", "spec_version": "1.0.31", "version": self.roots, "expires": self.expires,
            "consistent_snapshot": false,
            "keys": { "all": public(&self.key), "timestamp": public(&self.timestamp_key) },
            "roles": {
                "root": role, "snapshot": role, "targets": role,
                "timestamp": { "keyids": ["timestamp"], "threshold": 1 },
            },
        });
        let bytes = signed(&root, "all", &self.key);
        self.files
            .insert(format!("{}.root.json", self.roots), bytes);
    }

    /// A root that withdraws the timestamp's key for another one.
    pub fn withdraw_timestamp_key(&mut self, seed: u8) {
        self.timestamp_key = key(seed);
        self.another_root();
    }

    pub fn anchor(&self) -> Vec<u8> {
        self.files["1.root.json"].clone()
    }

    /// From now on everything is valid for this time.
    pub fn expiring(mut self, at: &'static str) -> Self {
        self.expires = at;
        self
    }

    /// A new version of everything but the root.
    pub fn publish(&mut self) {
        self.version += 1;
        let version = self.version;
        let trusted_root = TRUSTED_ROOT.as_bytes();
        let target = json!({
            "length": trusted_root.len(),
            "hashes": { "sha256": hex::encode(Sha256::digest(trusted_root)) },
        });
        let name = "targets/trusted_root.json".to_owned();
        self.files.insert(name, trusted_root.to_vec());
        for (role, field, content) in [
            ("targets", "targets", json!({ "trusted_root.json": target })),
            (
                "snapshot",
                "meta",
                json!({ "targets.json": { "version": version } }),
            ),
            (
                "timestamp",
                "meta",
                json!({ "snapshot.json": { "version": version } }),
            ),
        ] {
            let mut document = json!({
                "_type": role, "spec_version": "1.0.31", "version": version, "expires": self.expires,
            });
            document[field] = content;
            let (id, key) = match role {
                "timestamp" => ("timestamp", &self.timestamp_key),
                _ => ("all", &self.key),
            };
            let bytes = signed(&document, id, key);
            self.files.insert(format!("{role}.json"), bytes);
        }
    }
}

fn key(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn signed(document: &Value, id: &str, key: &Ed25519KeyPair) -> Vec<u8> {
    let canonical = sigstore_tuf::canonical_json::to_canonical_bytes(document).unwrap();
    let sig = hex::encode(key.sign(&canonical).as_ref());
    let both = json!({ "signed": document, "signatures": [{ "keyid": id, "sig": sig }] });
    both.to_string().into_bytes()
}

/// A server of such files; they can be replaced.
pub async fn serve(files: &Files) -> (Server, Arc<Mutex<Files>>) {
    let shown = Arc::new(Mutex::new(files.clone()));
    let showing = Arc::clone(&shown);
    let server = Server::start(move |request| {
        let name = request.path.trim_start_matches("/repository/");
        match showing.lock().unwrap().get(name) {
            Some(body) => Answer::ok(body.clone()),
            None => Answer::status(404),
        }
    })
    .await;
    (server, shown)
}
