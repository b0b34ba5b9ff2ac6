//! Hashing by several methods at once: each file is read once.

use std::io;

use rayon::prelude::*;

use super::hashing::stable;
use crate::hash::{Algorithm, Digest, Hasher};
use crate::manifest::{MAX_RESOURCES, Manifest, Method, Resource, Shard};
use crate::positioned::FileExt as _;
use crate::walk::{Listed, Listing, Model, Opened, WalkError};

/// How much is read at once. It is hashed by each method while it is in the caches that the cores share.
const BLOCK_BYTES: usize = 1 << 20;

/// From here on the methods hash a block at the same time. Below, files are spread over the threads.
const LARGE_BYTES: u64 = 4 << 20;

/// Hashes the files of a listing by each of these methods, on the threads of the current rayon pool. Answers a manifest for each
/// method, in their order, as [`hash`](super::hash) does for one.
///
/// Each file is read once, and what several methods have in common is computed once: a file that is not longer than a shard is
/// one shard. `progress` gets the number of bytes that were read since it was last called, from any thread.
///
/// # Errors
///
/// As those of [`hash`](super::hash).
pub fn hash_by_each(
    model: &Model,
    listing: &Listing,
    methods: &[Method],
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<Manifest>, WalkError> {
    for method in methods {
        let sizes = listing
            .files
            .iter()
            .map(|file| method.resources_of(file.size));
        if sizes.fold(0_u64, u64::saturating_add) > MAX_RESOURCES as u64 {
            return Err(model.too_many());
        }
    }
    let (large, small): (Vec<&Listed>, Vec<&Listed>) = listing
        .files
        .iter()
        .partition(|file| file.size >= LARGE_BYTES);
    let of_file = |file: &&Listed| {
        stable(model, file, |opened| {
            of_opened(file, opened, methods, progress)
        })
    };
    let mut hashed: Vec<Vec<Vec<Resource>>> = Vec::with_capacity(listing.files.len());
    for file in &large {
        hashed.push(of_file(file)?);
    }
    let of_small: Vec<_> = small.par_iter().map(of_file).collect::<Result<_, _>>()?;
    hashed.extend(of_small);
    let mut all: Vec<Vec<Resource>> = methods.iter().map(|_| Vec::new()).collect();
    for of_file in hashed {
        for (resources, of_method) in all.iter_mut().zip(of_file) {
            resources.extend(of_method);
        }
    }
    let manifests = methods.iter().zip(all).map(|(method, resources)| {
        Manifest::new(*method, resources).expect("a walk names each file once")
    });
    Ok(manifests.collect())
}

/// The resources of one file by each method.
fn of_opened(
    file: &Listed,
    opened: &Opened,
    methods: &[Method],
    progress: &(dyn Fn(u64) + Sync),
) -> io::Result<Vec<Vec<Resource>>> {
    let size = opened.size();
    let kinds = methods.iter().map(|method| Kind::of(*method, size));
    let kinds: Vec<Kind> = kinds.collect();
    let mut streams: Vec<Stream> = Vec::new();
    for kind in &kinds {
        if !streams.iter().any(|stream| stream.kind == *kind) {
            streams.push(Stream::new(*kind));
        }
    }
    let mut block = vec![
        0;
        usize::try_from(size)
            .unwrap_or(BLOCK_BYTES)
            .min(BLOCK_BYTES)
    ];
    let mut at = 0_u64;
    while at < size {
        let left = usize::try_from(size.saturating_sub(at)).unwrap_or(BLOCK_BYTES);
        let len = left.min(block.len());
        let part = block.get_mut(..len).ok_or(io::ErrorKind::InvalidInput)?;
        opened.file.read_exact_at(part, at)?;
        let part: &[u8] = part;
        if size >= LARGE_BYTES {
            streams
                .par_iter_mut()
                .for_each(|stream| stream.update(part));
        } else {
            for stream in &mut streams {
                stream.update(part);
            }
        }
        at = at.saturating_add(len as u64);
        progress(len as u64);
    }
    let done: Vec<(Kind, Vec<Digest>)> = streams.into_iter().map(Stream::finish).collect();
    let of_method = |(method, kind): (&Method, &Kind)| {
        let digests = done.iter().find(|(of, _)| of == kind);
        let digests = digests.into_iter().flat_map(|(_, digests)| digests);
        let resource = |(number, digest): (usize, &Digest)| Resource {
            path: file.name.clone(),
            shard: method.shard_bytes().map(|bytes| {
                let start = (number as u64).saturating_mul(bytes.get());
                let end = start.saturating_add(bytes.get()).min(size);
                Shard { start, end }
            }),
            digest: *digest,
        };
        // An empty file has no shard.
        let count = usize::try_from(method.resources_of(size)).unwrap_or(usize::MAX);
        let digests = digests.take(count).enumerate();
        digests.map(resource).collect()
    };
    Ok(methods.iter().zip(&kinds).map(of_method).collect())
}

/// What of a file is hashed: all of it, or each part of this many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kind {
    algorithm: Algorithm,
    part_bytes: Option<u64>,
}

impl Kind {
    /// What a method hashes of a file of this size.
    fn of(method: Method, size: u64) -> Self {
        let bytes = method.shard_bytes().map(std::num::NonZeroU64::get);
        Self {
            algorithm: method.algorithm(),
            part_bytes: bytes.filter(|bytes| *bytes < size),
        }
    }
}

/// The digests of one kind, while a file is read.
struct Stream {
    kind: Kind,
    hasher: Hasher,
    /// Bytes of the part that were hashed.
    hashed: u64,
    done: Vec<Digest>,
}

impl Stream {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            hasher: Hasher::new(kind.algorithm),
            hashed: 0,
            done: Vec::new(),
        }
    }

    fn update(&mut self, mut bytes: &[u8]) {
        while let Some(part_bytes) = self.kind.part_bytes {
            let left = part_bytes.saturating_sub(self.hashed);
            let Some((part, rest)) = usize::try_from(left)
                .ok()
                .and_then(|left| bytes.split_at_checked(left))
            else {
                break;
            };
            self.hasher.update(part);
            let hasher = std::mem::replace(&mut self.hasher, Hasher::new(self.kind.algorithm));
            self.done.push(hasher.finish());
            self.hashed = 0;
            bytes = rest;
        }
        self.hasher.update(bytes);
        self.hashed = self.hashed.saturating_add(bytes.len() as u64);
    }

    /// The last part is shorter; there is none if the file ends with a whole one.
    fn finish(mut self) -> (Kind, Vec<Digest>) {
        if self.hashed > 0 || self.done.is_empty() {
            self.done.push(self.hasher.finish());
        }
        (self.kind, self.done)
    }
}
