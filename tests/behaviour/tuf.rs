//! A server on loopback with logs and the TUF repository that names them.

use std::collections::{BTreeMap, HashMap};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::binary::{requested, resource, respond};
use crate::world::FakeLog;

const EXPIRES: &str = "2090-01-01T00:00:00Z";

/// Logs by name, each below its own path, and below `/tuf` their published documents.
pub struct Instance {
    pub port: u16,
    logs: HashMap<&'static str, Arc<FakeLog>>,
    files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    key: Ed25519KeyPair,
    version: u64,
    /// Rekor v1 logs, as a trusted root lists them.
    pub rekor_v1: Vec<Value>,
    /// CT logs, likewise.
    pub ct: Vec<Value>,
    /// Replacements of a log's key and id, by the log's name.
    pub instead: HashMap<&'static str, Value>,
    /// More items of the trusted root's list of certificate authorities.
    pub authorities: Vec<Value>,
    /// The MonitorConfig.
    pub monitor: Option<Value>,
    /// Requests for paths below `/tuf`.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Instance {
    pub fn new(names: &[&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        // The origin of a log is its host and path, or another one.
        let logs: HashMap<_, _> = names
            .iter()
            .map(|&name| {
                let origin = match name.strip_prefix("at-") {
                    Some(machine) => machine.to_owned(),
                    None => format!("127.0.0.1/{name}"),
                };
                (name, Arc::new(FakeLog::new(&origin)))
            })
            .collect();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let asking = Arc::clone(&asked);
        let files = Arc::new(Mutex::new(BTreeMap::<String, Vec<u8>>::new()));
        let (serving, published) = (logs.clone(), Arc::clone(&files));
        // Ends with the test process.
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                // A client that closes the connection is not a failure of the test.
                let Ok(path) = requested(&connection) else {
                    continue;
                };
                if path.starts_with("/tuf/") {
                    asking.lock().unwrap().push(path.clone());
                }
                let of_log = || {
                    let (name, file) = path.strip_prefix('/')?.split_once("/api/v2/")?;
                    let log = serving.get(name)?;
                    resource(log, file).or_else(|| hashes(log, file))
                };
                let file = published.lock().unwrap().get(&path).cloned();
                respond(&connection, file.or_else(of_log)).unwrap_or_default();
            }
        });
        let instance = Self {
            port,
            logs,
            files,
            key: Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap(),
            version: 0,
            rekor_v1: Vec::new(),
            ct: Vec::new(),
            instead: HashMap::new(),
            authorities: Vec::new(),
            monitor: None,
            asked,
        };
        instance.put("root.json", &instance.root());
        instance
    }

    pub fn log(&self, name: &str) -> &FakeLog {
        &self.logs[name]
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// The root that the repository is trusted by, all of whose roles have one key.
    pub fn root(&self) -> Vec<u8> {
        let role = json!({ "keyids": ["key"], "threshold": 1 });
        let public = hex::encode(self.key.public_key().as_ref());
        self.signed(&json!({
            "_type": "root", "spec_version": "1.0.31", "version": 1, "expires": EXPIRES,
            "consistent_snapshot": false,
            "keys": { "key": { "keytype": "ed25519", "scheme": "ed25519", "keyval": { "public": public } } },
            "roles": { "root": role, "timestamp": role, "snapshot": role, "targets": role },
        }))
    }

    /// Publishes a trusted root with keys of these logs, and a signing configuration with those.
    pub fn publish(&mut self, with_key: &[&str], announced: &[&str]) {
        let mut root: Value =
            serde_json::from_str(include_str!("../data/trust/harbor.json")).unwrap();
        root["ctlogs"] = self.ct.clone().into();
        let authorities = root["certificateAuthorities"].as_array_mut().unwrap();
        authorities.extend(self.authorities.clone());
        let v2 = with_key.iter().map(|name| self.tlog(name));
        root["tlogs"] = v2.chain(self.rekor_v1.clone()).collect();
        let announced: Vec<Value> = announced
            .iter()
            .map(|name| {
                json!({
                    "url": self.url(name), "majorApiVersion": 2,
                    "validFor": { "start": "2026-01-01T00:00:00Z" },
                })
            })
            .collect();
        let config = json!({
            "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
            "rekorTlogUrls": announced,
        });
        self.version += 1;
        let mut targets = serde_json::Map::new();
        let monitor = self.monitor.clone();
        for (name, document) in [
            ("trusted_root.json", root),
            ("signing_config_rekor_v2.v0.2.json", config),
        ]
        .into_iter()
        .chain(monitor.map(|monitor| ("monitor_config.json", monitor)))
        {
            let bytes = document.to_string().into_bytes();
            let sha256 = hex::encode(Sha256::digest(&bytes));
            targets.insert(
                name.to_owned(),
                json!({ "length": bytes.len(), "hashes": { "sha256": sha256 } }),
            );
            self.put(&format!("targets/{name}"), &bytes);
        }
        let version = self.version;
        for (role, key, content) in [
            ("targets", "targets", Value::Object(targets)),
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
            let mut signed = json!({
                "_type": role, "spec_version": "1.0.31", "version": version, "expires": EXPIRES,
            });
            signed[key] = content;
            let bytes = self.signed(&signed);
            self.put(&format!("{role}.json"), &bytes);
        }
    }

    /// An earlier version is served again: an attack, or a mirror that is out of date.
    pub fn forget(&mut self, versions: u64) {
        self.version -= versions;
    }

    /// A log with its key, as a trusted root lists it.
    pub fn tlog(&self, name: &str) -> Value {
        let log = self.log(name);
        let pem = log.public_key_pem();
        let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let raw = STANDARD.decode(&der).unwrap();
        let key = raw.get(raw.len() - 32..).unwrap();
        // C2SP signed-note, untruncated.
        let id = Sha256::digest([log.origin.as_bytes(), b"\n\x01", key].concat());
        if let Some(instead) = self.instead.get(name) {
            return instead.clone();
        }
        json!({
            "baseUrl": self.url(name), "hashAlgorithm": "SHA2_256",
            "publicKey": { "rawBytes": der, "keyDetails": "PKIX_ED25519" },
            "logId": { "keyId": STANDARD.encode(id) },
        })
    }

    /// How often the repository was checked for updates since the last call.
    pub fn times_asked(&self) -> usize {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked
            .iter()
            .filter(|path| *path == "/tuf/timestamp.json")
            .count()
    }

    /// A certificate authority with this one certificate, as a trusted root lists it.
    pub fn authority(der: &[u8]) -> Value {
        json!({
            "certChain": { "certificates": [{ "rawBytes": STANDARD.encode(der) }] },
            "validFor": { "start": "2021-01-01T00:00:00Z" },
        })
    }

    fn signed(&self, signed: &Value) -> Vec<u8> {
        let canonical = sigstore_tuf::canonical_json::to_canonical_bytes(signed).unwrap();
        let sig = hex::encode(self.key.sign(&canonical).as_ref());
        let both = json!({ "signed": signed, "signatures": [{ "keyid": "key", "sig": sig }] });
        both.to_string().into_bytes()
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        self.serve(&format!("/tuf/{name}"), bytes);
    }

    /// Serves a file of another log under this path.
    pub fn serve(&self, path: &str, bytes: &[u8]) {
        let mut files = self.files.lock().unwrap();
        files.insert(path.to_owned(), bytes.to_vec());
    }

    /// The content under this path.
    pub fn file(&self, path: &str) -> Vec<u8> {
        self.files.lock().unwrap()[path].clone()
    }

    pub fn forget_file(&self, path: &str) {
        self.files.lock().unwrap().remove(path);
    }

    /// A log with this key, as a trusted root lists those whose id is the hash of their key.
    pub fn keyed(url: &str, pem: &str) -> Value {
        let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let id = Sha256::digest(STANDARD.decode(&der).unwrap());
        json!({
            "baseUrl": url, "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": der, "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                "validFor": { "start": "2021-01-01T00:00:00Z" },
            },
            "logId": { "keyId": STANDARD.encode(id) },
        })
    }
}

/// The first hash tile of a log that has less than 256 leaves.
fn hashes(log: &FakeLog, path: &str) -> Option<Vec<u8>> {
    let width = path.strip_prefix("tile/0/000.p/")?.parse().ok()?;
    let leaves = log.truth();
    let hashes = leaves.get(..width)?.iter();
    Some(hashes.flat_map(|leaf| *leaf.hash.as_bytes()).collect())
}
