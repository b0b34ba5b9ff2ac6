//! The definitions of RFC 6962 §2.1, implemented literally: slow and recursive, as the reference for the tests. And a
//! signer.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};

use crate::{
    Checkpoint, CompactRange, Hash, KeyName, Node, Origin, Verifier, empty_root, leaf_hash,
    node_hash,
};

/// An Ed25519 key that signs notes, as a log or as a witness.
pub(crate) struct Signer {
    name: &'static str,
    key: SigningKey,
}

impl Signer {
    pub(crate) fn new(name: &'static str, seed: u8) -> Self {
        Self {
            name,
            key: SigningKey::from_bytes(&[seed; 32]),
        }
    }

    fn key_name(&self) -> KeyName {
        KeyName::new(self.name).expect("a test's key name is valid")
    }

    pub(crate) fn public_key(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    pub(crate) fn log(&self) -> Verifier {
        Verifier::ed25519(self.key_name(), self.key.verifying_key().as_bytes()).expect("a real key")
    }

    pub(crate) fn witness(&self) -> Verifier {
        Verifier::cosigner_ed25519(self.key_name(), self.key.verifying_key().as_bytes())
            .expect("a real key")
    }

    /// A signature line over `text`.
    pub(crate) fn sign(&self, text: &str) -> String {
        self.line(&self.log(), &self.key.sign(text.as_bytes()).to_bytes())
    }

    /// A cosignature line over `text`.
    pub(crate) fn cosign(&self, time: u64, text: &str) -> String {
        let signature = self
            .key
            .sign(format!("cosignature/v1\ntime {time}\n{text}").as_bytes());
        self.line(
            &self.witness(),
            &[&time.to_be_bytes()[..], &signature.to_bytes()].concat(),
        )
    }

    pub(crate) fn line(&self, verifier: &Verifier, signature: &[u8]) -> String {
        let encoded = STANDARD.encode([&verifier.id().as_bytes()[..], signature].concat());
        format!("— {} {encoded}\n", self.name)
    }

    /// A signed checkpoint of a log whose origin is its key's name.
    pub(crate) fn checkpoint(&self, size: u64, root: Hash) -> Checkpoint {
        let text = format!("{}\n{size}\n{}\n", self.name, root.to_base64());
        let note = format!("{text}\n{}", self.sign(&text));
        let origin = Origin::new(self.name).expect("a test's origin is valid");
        Checkpoint::open(note.as_bytes(), &origin, &[self.log()]).expect("signed just now")
    }
}

/// Hash of the test log's leaf number `index`.
pub(crate) fn leaf(index: u64) -> Hash {
    leaf_hash(&index.to_be_bytes())
}

/// A whole tree in memory.
pub(crate) struct Tree(Vec<Hash>);

impl Tree {
    pub(crate) fn of(size: u64) -> Self {
        Self((0..size).map(leaf).collect())
    }

    pub(crate) fn root(&self) -> Hash {
        root(&self.0)
    }

    /// Root of some consecutive leaves.
    pub(crate) fn root_of(&self, leaves: core::ops::Range<u64>) -> Hash {
        let at = |index| usize::try_from(index).expect("a test's tree fits memory");
        root(&self.0[at(leaves.start)..at(leaves.end)])
    }

    pub(crate) fn node(&self, node: Node) -> Hash {
        let width = 1_usize << node.level;
        let start = usize::try_from(node.index).expect("a test's tree fits memory") * width;
        root(&self.0[start..start + width])
    }

    pub(crate) fn frontier(&self) -> CompactRange {
        let mut range = CompactRange::new();
        self.0.iter().for_each(|leaf| range.push(*leaf));
        range
    }

    /// The frontier at every size up to that of the tree.
    pub(crate) fn frontiers(&self) -> Vec<CompactRange> {
        let mut range = CompactRange::new();
        let mut all = [range.clone()].to_vec();
        for leaf in &self.0 {
            range.push(*leaf);
            all.push(range.clone());
        }
        all
    }

    pub(crate) fn inclusion(&self, index: u64) -> Vec<Hash> {
        path(
            usize::try_from(index).expect("a test's tree fits memory"),
            &self.0,
        )
    }

    pub(crate) fn consistency(&self, old: u64) -> Vec<Hash> {
        let old = usize::try_from(old).expect("a test's tree fits memory");
        if old == 0 {
            Vec::new()
        } else {
            subproof(old, &self.0, true)
        }
    }
}

/// MTH(D), RFC 6962 §2.1.
fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(largest_power_below(leaves.len()));
            node_hash(&root(left), &root(right))
        }
    }
}

/// PATH(m, D), RFC 6962 §2.1.1.
fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(largest_power_below(leaves.len()));
    let (mut proof, sibling) = if index < left.len() {
        (path(index, left), root(right))
    } else {
        (path(index - left.len(), right), root(left))
    };
    proof.push(sibling);
    proof
}

/// SUBPROOF(m, D, b), RFC 6962 §2.1.2.
fn subproof(old: usize, leaves: &[Hash], known: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if known {
            Vec::new()
        } else {
            [root(leaves)].to_vec()
        };
    }
    let (left, right) = leaves.split_at(largest_power_below(leaves.len()));
    let (mut proof, sibling) = if old <= left.len() {
        (subproof(old, left, known), root(right))
    } else {
        (subproof(old - left.len(), right, false), root(left))
    };
    proof.push(sibling);
    proof
}

fn largest_power_below(len: usize) -> usize {
    len.next_power_of_two() / 2
}
