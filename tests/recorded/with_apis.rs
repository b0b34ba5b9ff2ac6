//! The recorded Rekor v1 log and the recorded CT log with the API of RFC 6962, on loopback, as their servers answered.

use std::collections::BTreeMap;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tlog::{Hash, leaf_hash};
use tokio::runtime::Runtime;

use crate::merkle::subproof;
use crate::program::section;
use crate::recording::with_apis;
use crate::server::{Answer, Request, Server};

/// Most entries in one answer of the CT log.
const AT_ONCE: usize = 1_000;

/// What the logs hold.
pub struct Content {
    /// The description of the Rekor v1 log.
    log: Value,
    /// Its entries, by their indexes over both trees, each with its id.
    pub entries: Vec<(String, Value)>,
    /// The answers of its search index that were recorded: the query, and the ids.
    pub index: Vec<(Value, Value)>,
    /// The tree head of the CT log, and its entries.
    tree_head: Value,
    pub certificates: Vec<Value>,
}

fn lines(file: &str) -> Vec<Value> {
    let text = fs::read_to_string(with_apis().join(file)).unwrap();
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn json_file(file: &str) -> Value {
    serde_json::from_slice(&fs::read(with_apis().join(file)).unwrap()).unwrap()
}

impl Content {
    pub fn recorded() -> Self {
        let entries: BTreeMap<u64, (String, Value)> = lines("rekor-v1/entries.jsonl")
            .into_iter()
            .map(|answer| {
                let (id, entry) = answer.as_object().unwrap().iter().next().unwrap();
                let index = entry["logIndex"].as_u64().unwrap();
                (index, (id.clone(), entry.clone()))
            })
            .collect();
        assert!(entries.keys().copied().eq(0..entries.len() as u64));
        let index = lines("rekor-v1/index.jsonl").into_iter();
        Self {
            log: json_file("rekor-v1/log-info.json"),
            entries: entries.into_values().collect(),
            index: index
                .filter(|line| line["status"] == 200)
                .map(|line| (line["query"].clone(), line["answer"].clone()))
                .collect(),
            tree_head: json_file("ct-rfc6962/get-sth.json"),
            certificates: lines("ct-rfc6962/get-entries.jsonl"),
        }
    }

    /// The number of entries of the older tree of the Rekor v1 log.
    pub fn older(&self) -> usize {
        let tree = &self.log["inactiveShards"][0];
        usize::try_from(tree["treeSize"].as_u64().unwrap()).unwrap()
    }

    fn answer(&self, request: &Request) -> Option<Value> {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let asked = |key: &str| {
            let pairs = query.split('&');
            pairs
                .filter_map(|pair| pair.split_once('='))
                .find_map(|(name, value)| (name == key).then_some(value))
        };
        let size = |key: &str| asked(key)?.parse::<usize>().ok();
        let body = || {
            let (_, body) = request.head.split_once("\r\n\r\n")?;
            serde_json::from_str::<Value>(body).ok()
        };
        match path {
            "/v1/api/v1/log" => Some(self.log.clone()),
            "/v1/api/v1/log/entries/retrieve" => {
                let body = body()?;
                let list = |key: &str| body[key].as_array().cloned().unwrap_or_default();
                let by_index = list("logIndexes")
                    .into_iter()
                    .filter_map(|index| self.entries.get(usize::try_from(index.as_u64()?).ok()?));
                // An id may be without the number of its tree.
                let by_id = list("entryUUIDs").into_iter().filter_map(|id| {
                    let mut entries = self.entries.iter();
                    entries.find(|(own, _)| own.ends_with(id.as_str().unwrap()))
                });
                let found: Vec<&(String, Value)> = by_index.collect();
                let found = found.into_iter().chain(by_id.collect::<Vec<_>>());
                Some(found.map(|(id, entry)| json!({id: entry})).collect())
            }
            "/v1/api/v1/log/proof" => {
                let is_older = asked("treeID") == self.log["inactiveShards"][0]["treeID"].as_str();
                let (older, newer) = self.entries.split_at(self.older());
                let tree = if is_older { older } else { newer };
                let hashes: Vec<Hash> = tree.iter().map(|(_, entry)| hash_of(entry)).collect();
                let (first, last) = (size("firstSize")?, size("lastSize")?);
                let proof = subproof(first, hashes.get(..last)?, true);
                let proof: Vec<String> = proof.iter().map(Hash::to_hex).collect();
                Some(json!({"rootHash": "00".repeat(32), "hashes": proof}))
            }
            "/v1/api/v1/index/retrieve" => {
                let body = body()?;
                let known = self.index.iter().find(|(query, _)| {
                    let pairs = query.as_object().unwrap();
                    pairs.iter().all(|(key, value)| body[key] == *value)
                });
                Some(known.map_or_else(|| json!([]), |(_, answer)| answer.clone()))
            }
            "/ct/ct/v1/get-sth" => Some(self.tree_head.clone()),
            "/ct/ct/v1/get-entries" => {
                let (start, end) = (size("start")?, size("end")? + 1);
                let end = end.min(start + AT_ONCE).min(self.certificates.len());
                Some(json!({"entries": self.certificates.get(start..end)?}))
            }
            "/ct/ct/v1/get-sth-consistency" => {
                let leaf = |entry: &Value| leaf_hash(&decoded(&entry["leaf_input"]));
                let hashes: Vec<Hash> = self.certificates.iter().map(leaf).collect();
                let proof = subproof(size("first")?, hashes.get(..size("second")?)?, true);
                let proof: Vec<String> = proof.iter().map(Hash::to_base64).collect();
                Some(json!({ "consistency": proof }))
            }
            _ => None,
        }
    }
}

/// Bytes in base64.
pub fn decoded(text: &Value) -> Vec<u8> {
    STANDARD.decode(text.as_str().unwrap()).unwrap()
}

fn hash_of(entry: &Value) -> Hash {
    leaf_hash(&decoded(&entry["body"]))
}

/// The servers of both logs, until this is dropped.
pub struct Apis {
    _runtime: Runtime,
    server: Server,
}

impl Apis {
    /// As recorded.
    pub fn honest() -> Self {
        Self::lying(|_, answer| answer.map(|answer| Answer::ok(answer.to_string())))
    }

    /// With answers that `change` makes of the honest ones; `None` is 404.
    pub fn lying(
        change: impl Fn(&Request, Option<Value>) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        let content = Content::recorded();
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(Server::start(move |request: &Request| {
            change(request, content.answer(request)).unwrap_or_else(|| Answer::status(404))
        }));
        Self {
            _runtime: runtime,
            server,
        }
    }

    /// The section of the configuration for the Rekor v1 log.
    pub fn rekor_v1(&self) -> String {
        let settings = json!({
            "name": "v1", "type": "rekor-v1", "url": self.server.url("v1").as_str(), "start": "beginning",
        });
        section("[[log]]", &settings)
    }

    /// That for the CT log.
    pub fn certificates(&self) -> String {
        let settings = json!({
            "name": "ct", "type": "ct-rfc6962", "url": self.server.url("ct").as_str(), "start": "beginning",
            "public_key": with_apis().join("ct-rfc6962/key.pub.pem"),
        });
        section("[[log]]", &settings)
    }
}
