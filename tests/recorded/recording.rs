//! The recording: what was sent to its logs, and the expected results.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// The index past every entry.
pub const END: u64 = u64::MAX;

/// A directory of this test below the target directory.
pub fn scratch() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// The unpacked recording of the Rekor v2 logs, which is never changed.
pub fn recording() -> &'static Path {
    static UNPACKED: OnceLock<PathBuf> = OnceLock::new();
    UNPACKED.get_or_init(|| unpacked("harbor-v2.tar.xz", "harbor"))
}

/// That of the Rekor v1 log and of the CT log with the API of RFC 6962.
pub fn with_apis() -> &'static Path {
    static UNPACKED: OnceLock<PathBuf> = OnceLock::new();
    UNPACKED.get_or_init(|| unpacked("harbor-v1-ct.tar.xz", "harbor-apis"))
}

/// Its path contains the hash of its archive: so a run of another checkout with the same target directory finds its
/// own.
fn unpacked(archive: &str, name: &str) -> PathBuf {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/harbor")
        .join(archive);
    let hash = hex::encode(Sha256::digest(fs::read(&archive).unwrap()));
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", &hash[..16]));
    if !home.is_dir() {
        let fresh = scratch();
        let tar = Command::new("tar")
            .arg("-xJf")
            .arg(&archive)
            .arg("-C")
            .arg(fresh.path())
            .output()
            .expect("tar is installed");
        assert!(
            tar.status.success(),
            "tar (it needs xz): {}",
            String::from_utf8_lossy(&tar.stderr)
        );
        // The directory is renamed into place as a whole. If that fails, another process was faster.
        if let Err(error) = fs::rename(fresh.path(), &home) {
            assert!(home.is_dir(), "{}: {error}", home.display());
        }
    }
    home
}

fn json<T: DeserializeOwned>(file: &str) -> T {
    let bytes = fs::read(recording().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    serde_json::from_slice(&bytes).unwrap_or_else(|e| panic!("{file}: {e}"))
}

/// The origin of a recorded log.
pub fn origin(log: &str) -> String {
    let world: Value = json("world.json");
    world["v2"][log]["origin"].as_str().unwrap().to_owned()
}

/// The size that the checkpoint in this folder names.
pub fn size_in(folder: &Path) -> u64 {
    let note = fs::read_to_string(folder.join("checkpoint")).unwrap();
    note.lines().nth(1).unwrap().parse().unwrap()
}

/// The folder that a recorded log publishes.
pub fn published(log: &str) -> PathBuf {
    recording().join(format!("rekor-{log}/log"))
}

/// How many entries a recorded log has.
pub fn size(log: &str) -> u64 {
    size_in(&published(log))
}

/// The watches, in the keys of the configuration.
pub fn watches() -> Vec<Value> {
    json("watches.json")
}

/// One of them.
pub fn watch(name: &str) -> Value {
    let found = watches().into_iter().find(|watch| watch["name"] == name);
    found.unwrap_or_else(|| panic!("no watch {name}"))
}

/// A finding about an entry, as far as it is compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    pub watch: String,
    pub log: String,
    pub index: u64,
    pub verdict: String,
}

/// An entry that a watch must find.
#[derive(Debug, Deserialize)]
pub struct Expected {
    pub index: u64,
    /// Without registrations.
    pub verdict: String,
    /// With the owner's bundles registered.
    pub with_bundles: String,
    /// Of the watch with a shape.
    #[serde(default)]
    pub in_shape: Option<bool>,
}

/// By watch, then by log.
pub fn expected() -> BTreeMap<String, BTreeMap<String, Vec<Expected>>> {
    json("expected.json")
}

/// What must be found in these logs between these indexes, judged by `verdict`.
pub fn hits_by(
    logs: &[&str],
    range: &Range<u64>,
    verdict: impl Fn(&Expected) -> &String,
) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (watch, by_log) in expected() {
        for (log, entries) in by_log {
            for entry in &entries {
                if logs.contains(&log.as_str()) && range.contains(&entry.index) {
                    hits.push(Hit {
                        watch: watch.clone(),
                        log: log.clone(),
                        index: entry.index,
                        verdict: verdict(entry).clone(),
                    });
                }
            }
        }
    }
    hits.sort();
    hits
}

/// The expected findings in these logs between these indexes, without registrations.
pub fn hits(logs: &[&str], range: &Range<u64>) -> Vec<Hit> {
    hits_by(logs, range, |entry| &entry.verdict)
}

/// A name in a certificate.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct San {
    #[serde(rename = "type")]
    pub kind: String,
    pub value: String,
}

/// One entry as it was sent to a log.
#[derive(Clone, Debug, Deserialize)]
pub struct Truth {
    pub index: u64,
    #[serde(rename = "leaf")]
    pub leaf_hash: String,
    pub kind: String,
    pub label: String,
    pub chain: String,
    pub issuer: Option<String>,
    pub certificate_sha256: Option<String>,
    pub spki_sha256: Option<String>,
    pub digest: Option<String>,
    pub san: Option<San>,
}

/// The entries sent to a log, in the order of its indexes.
pub fn truth(log: &str) -> Vec<Truth> {
    let lines = fs::read_to_string(recording().join(format!("truth/{log}.jsonl"))).unwrap();
    let truth: Vec<Truth> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(truth.iter().map(|entry| entry.index).eq(0..size(log)));
    truth
}

/// A bundle that a signer of models kept.
#[derive(Debug, Deserialize)]
struct Bundle {
    bundle: PathBuf,
    label: String,
}

/// The bundles of signings that the owner really made.
pub fn own_bundles() -> Vec<PathBuf> {
    let bundles: Vec<Bundle> = json("bundles.json");
    bundles
        .into_iter()
        .filter(|b| b.label.starts_with("release-") || b.label.starts_with("mail-"))
        .map(|b| recording().join(b.bundle))
        .collect()
}

/// A faulty log: v2b with some files changed.
#[derive(Debug, Deserialize)]
pub struct Tampered {
    /// A fault's name, `unverifiable-checkpoint`, `cannot-read`, or `none`.
    pub expect: String,
    /// The honest log was read at this checkpoint before.
    pub first: Option<u64>,
    /// This other case was read before.
    pub first_overlay: Option<String>,
    /// Files that are gone.
    #[serde(default)]
    pub remove: Vec<PathBuf>,
}

/// Every case by its name; without `strange-leaves`, which is not faulty.
pub fn tampered() -> BTreeMap<String, Tampered> {
    let mut cases: BTreeMap<String, Tampered> = json("tampered/tampered.json");
    cases.remove("strange-leaves").unwrap();
    cases
}

/// The truthful log of strange leaves.
#[derive(Debug, Deserialize)]
pub struct StrangeLeaves {
    pub leaves: BTreeMap<u64, StrangeLeaf>,
    /// The index in v2b of each other leaf.
    pub original: BTreeMap<u64, u64>,
}

/// One leaf of it.
#[derive(Debug, Deserialize)]
pub struct StrangeLeaf {
    /// `unreadable`, `readable` or `unknown-kind`.
    pub class: String,
    pub name: String,
}

/// Its directory, and the known content of its leaves.
pub fn strange_leaves() -> (PathBuf, StrangeLeaves) {
    let cases: Value = json("tampered/tampered.json");
    let about = serde_json::from_value(cases["strange-leaves"].clone()).unwrap();
    (recording().join("tampered/strange-leaves"), about)
}
