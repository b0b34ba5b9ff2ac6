//! `reconcile` over a Rekor v1 log: who else signed the same model, as its search index hints and its proofs confirm.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use model_signing::hash::Algorithm;
use model_signing::key::{PrivateKey, PublicKey};
use model_signing::manifest::{Manifest, Method, Resource};
use model_signing::sign::{self, KeySigner, Signer as _};
use model_signing::sigstore::Trust;
use model_signing::statement::Statement;
use modelwatch::judge::Rules;
use modelwatch::monitor::MonitoredLog;
use modelwatch::reconcile::{self, Answer, Kind, Line, LineType, Question, Trusted, World};
use modelwatch::store::Store;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tlog::leaf_hash;

use crate::rekor_v1::V1;
use crate::world::{Anomaly, Leaf, Signer, written};

/// A time after every entry.
fn now() -> Timestamp {
    "2026-11-21T08:00:00Z".parse().unwrap()
}

fn signer() -> KeySigner {
    let pem = include_bytes!("../data/keys/model.key.pem");
    KeySigner::new(PrivateKey::from_pem(pem, None).unwrap())
}

/// The key of the owner, and logs with these keys.
pub fn trusted(logs: &[Vec<u8>]) -> Trusted {
    let root = include_str!("../data/trust/harbor.json");
    let mut root: Value = serde_json::from_str(root).unwrap();
    let logs = logs.iter().map(|spki| {
        json!({
            "baseUrl": "https://rekor.test", "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": STANDARD.encode(spki), "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                "validFor": {"start": "2021-01-01T00:00:00Z"},
            },
            "logId": {"keyId": STANDARD.encode(Sha256::digest(spki))},
        })
    });
    root["tlogs"] = logs.collect();
    let key = PublicKey::from_pem(include_bytes!("../data/keys/model.pub.pem")).unwrap();
    Trusted {
        sigstore: Some(Trust::from_trusted_root(root.to_string().as_bytes()).unwrap()),
        keys: vec![key],
        certificates: None,
        now: now().as_second(),
        registers: false,
    }
}

/// The lines of an answer.
#[derive(Default)]
struct Lines(Vec<Line>);

impl Answer for Lines {
    fn line(&mut self, line: &Line) -> bool {
        self.0.push(line.clone());
        true
    }

    fn progress(&mut self, _: u64, _: u64) {}
}

/// Compares one bundle with a log.
pub async fn ask(
    bundle: &Path,
    remote: bool,
    (store, logs): (&dyn Store, &[MonitoredLog]),
    rules: &Rules,
    trusted: &Trusted,
) -> Vec<Line> {
    let question = Question {
        paths: vec![bundle.to_owned()],
        no_models: true,
        remote,
        ..Question::default()
    };
    let world = World {
        store,
        logs,
        statuses: &[],
        rules,
        trusted,
        now: now(),
    };
    let mut lines = Lines::default();
    let counts = reconcile::reconcile(&question, &world, &mut lines);
    let counts = counts.await.unwrap();
    let of =
        |line_type: LineType| lines.0.iter().filter(|l| l.line_type == line_type).count() as u64;
    assert_eq!(
        (
            counts.agreed + counts.not_logged,
            counts.discrepancies,
            counts.unanswered
        ),
        (
            of(LineType::Agreed),
            of(LineType::Discrepancy),
            of(LineType::Unanswered)
        )
    );
    lines.0
}

/// A file that the owner's key signed: the entry of that, and the bundle without it.
pub fn signed_file(content: &[u8]) -> (Leaf, Value) {
    let signer = signer();
    let signature = STANDARD.encode(signer.sign(content).unwrap());
    let digest = Sha256::digest(content);
    let key = signer.material().key();
    let entry = json!({"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {
        "data": {"hash": {"algorithm": "sha256", "value": hex::encode(digest)}},
        "signature": {"content": signature, "publicKey": {"content": STANDARD.encode(key.to_pem())}},
    }});
    let bundle = json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": key.hint()}, "tlogEntries": []},
        "messageSignature": {
            "messageDigest": {"algorithm": "SHA2_256", "digest": STANDARD.encode(digest)},
            "signature": signature,
        },
    });
    (written(&entry), bundle)
}

/// A model that the owner's key signed, which is in no log: its signature, and its root digests.
fn signed_model(directory: &Path) -> (PathBuf, [String; 2]) {
    let resource = |path: &str| Resource {
        path: path.into(),
        shard: None,
        digest: Algorithm::Sha256.digest(path.as_bytes()),
    };
    // The two orders differ.
    let resources = ["b", "a/c", "a.b"].map(resource).to_vec();
    let manifest = Manifest::new(Method::files(Algorithm::Sha256), resources).unwrap();
    let roots = [manifest.root(), manifest.root_path_order()].map(|root| root.to_string());
    let statement = Statement::new("owl", manifest, false, Vec::new()).unwrap();
    let bundle = sign::bundle(statement.to_json().as_bytes(), &signer()).unwrap();
    let path = directory.join("model.sig");
    std::fs::write(&path, bundle).unwrap();
    (path, roots)
}

/// A log that was read, with the signing of another identity as entry 25, and a signed model.
struct Site {
    v1: V1,
    model: PathBuf,
    roots: [String; 2],
    _directory: tempfile::TempDir,
}

const STRANGER: u64 = 25;

impl Site {
    async fn new() -> Self {
        let v1 = V1::new().await;
        v1.log.grow(
            0,
            [Signer::UnknownIssuer.signs(7), Signer::Impostor.signs(8)],
        );
        v1.good().await;
        let directory = crate::world::directory();
        let (model, roots) = signed_model(directory.path());
        Self {
            v1,
            model,
            roots,
            _directory: directory,
        }
    }

    /// Files an entry under a root digest of the model.
    fn file(&self, root: usize, local: u64) {
        let id = self.v1.log.id(0, local as usize);
        let name = format!("sha256:{}", self.roots[root]);
        self.v1.log.index(|index| index.file(&name, &id));
    }

    /// The lines about the model, without those about signings that have no bundle.
    async fn lines(&self, remote: bool) -> Vec<Line> {
        let logs = [self.v1.followed()];
        let world = (&*self.v1.store as &dyn Store, &logs[..]);
        let mut lines = ask(&self.model, remote, world, &self.v1.rules, &trusted(&[])).await;
        lines.retain(|line| line.kind != Some(Kind::SigningWithoutBundle));
        lines
    }

    /// The kinds after the line of the model itself, which is not logged.
    async fn hinted(&self) -> Vec<(Kind, Option<u64>)> {
        let mut lines = self.lines(true).await;
        let own = lines.remove(0);
        assert_eq!(own.kind, Some(Kind::NotLoggedByDesign), "{own:?}");
        for line in &lines {
            assert_eq!(line.bundle.as_deref(), self.model.to_str());
        }
        let of = |line: &Line| {
            (
                line.kind.unwrap(),
                line.entry.as_ref().map(|entry| entry.index),
            )
        };
        lines.iter().map(of).collect()
    }
}

#[tokio::test]
async fn another_identity_under_either_root_digest_is_a_hint_with_a_proven_entry() {
    for root in [0, 1] {
        let site = Site::new().await;
        site.file(root, STRANGER);
        // Only if the index is asked.
        assert_eq!(site.lines(false).await.len(), 1);
        assert_eq!(site.v1.log.asked("index/retrieve"), 0);
        assert_eq!(
            site.hinted().await,
            [(Kind::SameModelOtherIdentity, Some(STRANGER))],
            "{root}"
        );
        let lines = site.lines(true).await;
        let summary = &lines[1].summary;
        assert!(
            summary.contains("https://github.com/else/where"),
            "{summary}"
        );
        assert!(summary.contains("hints; the entry is proven"), "{summary}");
        assert_eq!(
            lines[1].entry.as_ref().unwrap().origin,
            site.v1.log.origin(0)
        );
    }
}

#[tokio::test]
async fn a_watched_identity_is_no_stranger_and_a_forged_certificate_is_no_watched_identity() {
    let site = Site::new().await;
    site.file(0, 23);
    assert_eq!(site.hinted().await, []);
    // The impostor has the name of the owner in a certificate that no trusted authority issued.
    site.file(0, STRANGER + 1);
    assert_eq!(
        site.hinted().await,
        [(Kind::SameModelOtherIdentity, Some(STRANGER + 1))]
    );
    let lines = site.lines(true).await;
    assert!(lines[1].summary.contains("no trusted authority issued"));
}

#[tokio::test]
async fn an_index_that_lies_accuses_nobody() {
    let site = Site::new().await;
    let name = format!("sha256:{}", site.roots[0]);
    // An entry that does not exist.
    let absent = format!("{:016x}{}", 101, leaf_hash(b"absent").to_hex());
    site.v1.log.index(|index| index.file(&name, &absent));
    assert_eq!(site.hinted().await, [(Kind::Unread, None)]);
    // Something that is no entry's id.
    site.v1.log.index(|index| {
        index.clear();
        index.file_odd(&name, json!("not an id"));
    });
    let kinds = site.hinted().await;
    assert_eq!(kinds, [(Kind::Unread, None)]);
}

#[tokio::test]
async fn a_log_that_lies_about_an_entry_proves_nothing() {
    for anomaly in [
        Anomaly::Swaps(STRANGER),
        Anomaly::Garbles(STRANGER),
        Anomaly::Hides(STRANGER),
        Anomaly::Renames(STRANGER),
        Anomaly::Moves(STRANGER),
    ] {
        let site = Site::new().await;
        site.file(0, STRANGER);
        site.v1.log.odd(anomaly.clone());
        let kinds = site.hinted().await;
        assert_eq!(kinds.len(), 1, "{anomaly:?}: {kinds:?}");
        assert_eq!(kinds[0].0, Kind::Unread, "{anomaly:?}: {kinds:?}");
    }
    // An entry behind what was proven.
    let site = Site::new().await;
    site.v1.log.grow(0, [Signer::UnknownIssuer.signs(9)]);
    site.file(0, STRANGER + 2);
    assert_eq!(site.hinted().await, [(Kind::Unread, Some(STRANGER + 2))]);
}

#[tokio::test]
async fn an_index_that_is_down_is_unanswered() {
    let site = Site::new().await;
    site.file(0, STRANGER);
    site.v1.log.odd(Anomaly::Down);
    let lines = site.lines(true).await;
    assert_eq!(lines[0].kind, Some(Kind::NotLoggedByDesign));
    assert!(lines.len() > 1, "{lines:?}");
    for line in &lines[1..] {
        assert_eq!(line.kind, Some(Kind::Unread), "{line:?}");
        assert!(line.summary.contains("could not be asked"), "{line:?}");
    }
}

/// A bundle of this entry of a log with one tree, in a file.
pub fn bundle_in(directory: &Path, mut bundle: Value, entry: &Value) -> PathBuf {
    bundle["verificationMaterial"]["tlogEntries"] = json!([entry]);
    let path = directory.join("file.sigstore.json");
    std::fs::write(&path, bundle.to_string()).unwrap();
    path
}

/// An entry of nobody.
pub fn another() -> Leaf {
    written(&json!({"apiVersion": "0.0.1", "kind": "another", "spec": {}}))
}
