//! Rekor v1 and v2 over a Merkle tree in memory (RFC 6962 §2.1, literally).

use serde_json::{Value, json};

use super::{EntryFault, Request, Response, id_of};
use crate::fake::log::{Log, dsse_v1, hashedrekord_v2, leaf_hash, node};
use crate::fake::{base64, hex, sha256, unbase64};

/// The id of Rekor v1's only tree here, and how many entries its older trees have.
const TREE_ID: &str = "108e9186e8c5677a";
const OLDER: usize = 1000;

/// Where Rekor v1 has its entries.
const ENTRIES: &str = "/api/v1/log/entries";

/// The hashes of the leaves, and what they are of.
pub struct Tree {
    leaves: Vec<[u8; 32]>,
    bodies: Vec<String>,
}

impl Tree {
    pub fn with_leaves(count: usize) -> Self {
        let bodies: Vec<String> = (0..count).map(|n| format!("older {n}")).collect();
        Self {
            leaves: bodies
                .iter()
                .map(|body| leaf_hash(body.as_bytes()))
                .collect(),
            bodies,
        }
    }

    pub fn size(&self) -> usize {
        self.leaves.len()
    }

    /// The index of an entry, and whether it is new.
    fn add(&mut self, body: &str, entry: EntryFault) -> (usize, bool) {
        if let Some(known) = self.bodies.iter().position(|known| known == body) {
            return (known, false);
        }
        let hashed = if entry == EntryFault::NotInTree {
            "another"
        } else {
            body
        };
        self.leaves.push(leaf_hash(hashed.as_bytes()));
        self.bodies.push(body.to_owned());
        (self.size() - 1, true)
    }
}

fn root(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [] => sha256(b""),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node(&root(left), &root(right))
        }
    }
}

fn path(index: usize, leaves: &[[u8; 32]]) -> Vec<[u8; 32]> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let at = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(at);
    let (mut below, sibling) = if index < at {
        (path(index, left), root(right))
    } else {
        (path(index - at, right), root(left))
    };
    below.push(sibling);
    below
}

/// A signed note about the tree, and the root that the proof leads to.
fn note(log: &Log, tree: &Tree, entry: EntryFault) -> (String, [u8; 32]) {
    let root = root(&tree.leaves);
    let signed = if entry == EntryFault::OtherRoot {
        sha256(b"root")
    } else {
        root
    };
    let is_forged = entry == EntryFault::ForgedCheckpoint;
    (log.checkpoint(tree.size(), &signed, is_forged), root)
}

pub fn answer_v1(log: &Log, tree: &mut Tree, request: &Request, entry: EntryFault) -> Response {
    let uuid = |tree: &Tree, index: usize| {
        format!(
            "{TREE_ID}{}",
            hex(&leaf_hash(tree.bodies[index].as_bytes()))
        )
    };
    if request.method == "POST" && request.below() == ENTRIES {
        let proposed: Value = serde_json::from_slice(&request.body).unwrap();
        let content = &proposed["spec"]["proposedContent"];
        let sent = content["envelope"].as_str().unwrap();
        let envelope: Value = serde_json::from_str(sent).unwrap();
        let verifier = unbase64(content["verifiers"][0].as_str().unwrap());
        let (_, certificate) = x509_parser::pem::parse_x509_pem(&verifier).unwrap();
        let payload = unbase64(envelope["payload"].as_str().unwrap());
        let mut signature = unbase64(envelope["signatures"][0]["sig"].as_str().unwrap());
        if entry == EntryFault::Another {
            signature.reverse();
        }
        let body = dsse_v1(sent, &payload, &signature, &certificate.contents).to_string();
        let (index, is_new) = tree.add(&body, entry);
        if is_new {
            return Response::json(201, &entry_v1(log, tree, index, &uuid(tree, index), entry));
        }
        let mut response = Response::new(
            409,
            "{\"code\":409,\"message\":\"an equivalent entry already exists\"}",
        );
        response.header("Location", &format!("{ENTRIES}/{}", uuid(tree, index)));
        return response;
    }
    let id = request.below().rsplit('/').next().unwrap();
    match (0..tree.size()).find(|index| uuid(tree, *index) == id) {
        Some(index) => Response::json(200, &entry_v1(log, tree, index, id, entry)),
        None => Response::new(404, ""),
    }
}

fn entry_v1(log: &Log, tree: &Tree, index: usize, uuid: &str, entry: EntryFault) -> Value {
    let time = modelwatch::clock::now().as_second();
    let (checkpoint, root) = note(log, tree, entry);
    let body = &tree.bodies[index];
    let global = u64::try_from(index + OLDER).unwrap();
    let promise = log.promise(body, time, global, entry == EntryFault::ForgedPromise);
    let hashes = path(index, &tree.leaves);
    json!({uuid: {
        "body": base64(body),
        "integratedTime": time,
        "logID": log.id(),
        "logIndex": global,
        "verification": {
            "inclusionProof": {
                "checkpoint": checkpoint,
                "hashes": hashes.iter().map(|hash| hex(hash)).collect::<Vec<_>>(),
                "logIndex": index,
                "rootHash": hex(&root),
                "treeSize": tree.size(),
            },
            "signedEntryTimestamp": base64(promise),
        },
    }})
}

pub fn answer_v2(log: &Log, tree: &mut Tree, request: &Request, entry: EntryFault) -> Response {
    match (request.method.as_str(), request.below()) {
        ("POST", "/api/v2/log/entries") => {
            let proposed: Value = serde_json::from_slice(&request.body).unwrap();
            let proposed = &proposed["hashedRekordRequestV002"];
            let digest = unbase64(proposed["digest"].as_str().unwrap());
            let signed = &proposed["signature"];
            let mut signature = unbase64(signed["content"].as_str().unwrap());
            if entry == EntryFault::Another {
                signature.reverse();
            }
            let certificate = unbase64(
                signed["verifier"]["x509Certificate"]["rawBytes"]
                    .as_str()
                    .unwrap(),
            );
            let body = hashedrekord_v2(&digest, &signature, &certificate).to_string();
            let (index, is_new) = tree.add(&body, entry);
            if !is_new {
                let mut response = Response::new(409, "{\"message\":\"entry already exists\"}");
                response.header("x-log-index", &index.to_string());
                return response;
            }
            let (checkpoint, root) = note(log, tree, entry);
            let hashes = path(index, &tree.leaves);
            Response::json(
                201,
                &json!({
                    "logIndex": index.to_string(),
                    "logId": {"keyId": id_of(log)},
                    "kindVersion": {"kind": "hashedrekord", "version": "0.0.2"},
                    "integratedTime": "0",
                    "inclusionPromise": null,
                    "inclusionProof": {
                        "logIndex": index.to_string(),
                        "rootHash": base64(root),
                        "treeSize": tree.size().to_string(),
                        "hashes": hashes.iter().map(base64).collect::<Vec<_>>(),
                        "checkpoint": {"envelope": checkpoint},
                    },
                    "canonicalizedBody": base64(body),
                }),
            )
        }
        ("GET", "/api/v2/checkpoint") => Response::new(200, &note(log, tree, entry).0),
        ("GET", tile) if tile == format!("/api/v2/tile/0/000.p/{}", tree.size()) => {
            let mut response = Response::new(200, "");
            response.body = tree.leaves.concat();
            response
        }
        _ => Response::new(404, ""),
    }
}
