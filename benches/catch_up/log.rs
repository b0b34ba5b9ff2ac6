//! A big Rekor v2 log, replicated from recorded leaves and signed with a key of the benchmark.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use tlog::{Bundle, BundleIndex, CompactRange, Hash, TileIndex, leaf_hash, node_hash};

/// The origin of the generated log.
pub const ORIGIN: &str = "big-log.example";

/// Seed of its key, which need not be secret.
const SEED: [u8; 32] = [7; 32];

/// The bytes before the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410 §4).
const ED25519_SPKI: &[u8] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";

/// A log in a directory, with its public key.
pub struct Log {
    /// The files that a server serves.
    pub directory: PathBuf,
    /// Its key, PEM.
    pub public_key: PathBuf,
}

/// The leaves of recorded logs, one after the other.
pub fn recorded_leaves(directories: &[PathBuf]) -> io::Result<Vec<Vec<u8>>> {
    let mut leaves = Vec::new();
    for directory in directories {
        let note = fs::read_to_string(directory.join("checkpoint"))?;
        let size: u64 = note
            .lines()
            .nth(1)
            .and_then(|size| size.parse().ok())
            .ok_or_else(|| io::Error::other("the second line of a checkpoint is its size"))?;
        let mut next = 0;
        while next < size {
            let index = BundleIndex::of_leaf(next, size).map_err(io::Error::other)?;
            let partial = fs::read(directory.join(index.path()));
            let bytes = match partial {
                Ok(bytes) => bytes,
                // The log has replaced it by the full one since.
                Err(_) => fs::read(directory.join(index.full().path()))?,
            };
            let bundle = Bundle::decode(&bytes, index.width())
                .or_else(|_| Bundle::decode_prefix(&bytes, index.width()))
                .map_err(io::Error::other)?;
            leaves.extend(bundle.leaves().map(<[u8]>::to_vec));
            next = index.end();
        }
    }
    Ok(leaves)
}

/// Writes a log of `size` entries, the `leaves` again and again, unless it is there already.
pub fn write(directory: &Path, leaves: &[Vec<u8>], size: u64) -> io::Result<Log> {
    let log = Log {
        directory: directory.join("log"),
        public_key: directory.join("key.pub.pem"),
    };
    let key = Ed25519KeyPair::from_seed_unchecked(&SEED).map_err(io::Error::other)?;
    let public = key.public_key().as_ref();
    fs::create_dir_all(directory)?;
    let spki = STANDARD.encode([ED25519_SPKI, public].concat());
    fs::write(
        &log.public_key,
        format!("-----BEGIN PUBLIC KEY-----\n{spki}\n-----END PUBLIC KEY-----\n"),
    )?;

    let hashes: Vec<Hash> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
    let mut range = CompactRange::new();
    for hash in hashes.iter().cycle().zip(0..size) {
        range.push(*hash.0);
    }
    let note = signed(ORIGIN, size, &range.root().to_base64())?;
    let checkpoint = log.directory.join("checkpoint");
    // Written last, so that a log with this checkpoint is whole.
    if fs::read(&checkpoint).is_ok_and(|there| there == note.as_bytes()) {
        return Ok(log);
    }
    if log.directory.exists() {
        fs::remove_dir_all(&log.directory)?;
    }
    write_bundles(&log.directory, leaves, size)?;
    write_tiles(&log.directory, &hashes, size)?;
    fs::write(checkpoint, note)?;
    Ok(log)
}

/// The signed checkpoint of a tree of `size` leaves, under the key of all made-up logs.
pub fn signed(origin: &str, size: u64, root: &str) -> io::Result<String> {
    let key = Ed25519KeyPair::from_seed_unchecked(&SEED).map_err(io::Error::other)?;
    let public = key.public_key().as_ref();
    let text = format!("{origin}\n{size}\n{root}\n");
    let mut id = Sha256::digest([origin.as_bytes(), b"\n\x01", public].concat()).to_vec();
    id.truncate(4);
    let signature = STANDARD.encode([&id, key.sign(text.as_bytes()).as_ref()].concat());
    Ok(format!("{text}\n— {origin} {signature}\n"))
}

fn write_bundles(directory: &Path, leaves: &[Vec<u8>], size: u64) -> io::Result<()> {
    let mut bytes = Vec::new();
    let mut index = 0;
    for (leaf, n) in leaves.iter().cycle().zip(1..=size) {
        let length = u16::try_from(leaf.len()).map_err(io::Error::other)?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(leaf);
        if n % 256 == 0 || n == size {
            let bundle = BundleIndex::of_leaf(n - 1, size).map_err(io::Error::other)?;
            create(&directory.join(bundle.path()), &bytes)?;
            bytes.clear();
            index += 1;
        }
    }
    debug_assert_eq!(index, size.div_ceil(256), "one bundle for each 256 leaves");
    Ok(())
}

fn write_tiles(directory: &Path, leaf_hashes: &[Hash], size: u64) -> io::Result<()> {
    let mut level = 0;
    let mut hashes: Vec<Hash> = leaf_hashes
        .iter()
        .cycle()
        .zip(0..size)
        .map(|(hash, _)| *hash)
        .collect();
    while !hashes.is_empty() {
        for (index, tile) in (0..).zip(hashes.chunks(256)) {
            let width = u16::try_from(tile.len()).map_err(io::Error::other)?;
            let place = TileIndex::new(level, index, width).map_err(io::Error::other)?;
            let bytes: Vec<u8> = tile.iter().flat_map(|hash| *hash.as_bytes()).collect();
            create(&directory.join(place.path()), &bytes)?;
        }
        hashes = hashes.chunks_exact(256).map(complete_root).collect();
        level += 1;
    }
    Ok(())
}

fn complete_root(hashes: &[Hash]) -> Hash {
    let mut row = hashes.to_vec();
    while let [_, _, ..] = row.as_slice() {
        row = row
            .chunks_exact(2)
            .filter_map(|pair| Some(node_hash(pair.first()?, pair.last()?)))
            .collect();
    }
    row.first()
        .copied()
        .expect("the row had 256 hashes, a power of two")
}

fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::File::create(path)?.write_all(bytes)
}
