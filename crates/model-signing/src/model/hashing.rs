//! Which thread hashes what.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use crate::hash::{Digest, file};
use crate::manifest::{MAX_RESOURCES, Manifest, Method, Resource, Shard};
use crate::walk::{Change, Listed, Listing, Model, Opened, WalkError};

/// From here on a file whose hash allows it is hashed by all threads together. Below, files are spread over them: to
/// wait for the last part of each file would cost more than it gains.
const WIDE_BYTES: u64 = 64 << 20;

/// From here on a file is handed to a thread for itself, so that no other large one waits behind it. To hash it takes half a
/// millisecond, and to hand it over a hundredth of that.
const LARGE_BYTES: u64 = 1 << 20;

/// How many small files a thread takes at least at once.
const SMALL_FILES: usize = 64;

/// The calling thread alone hashes at most this many bytes, in at most [`SMALL_FILES`] files: to start the threads of the pool
/// and to wait for them takes as long.
const ALONE_BYTES: u64 = 512 << 10;

/// After how many small files their digests go from the threads into the manifest's own list: only so many are ever in
/// memory twice. To wait for the last thread of each batch costs less than a thousandth of its time.
pub(super) const BATCH_FILES: usize = 16_384;

/// Hashes the files of a listing, on the threads of the current rayon pool.
///
/// `progress` gets the number of bytes that were hashed since it was last called, from any of those threads. Memory does not grow
/// with the size of the files.
///
/// # Errors
///
/// A file cannot be read, is another kind of thing by now, or changed while it was read; or there are more shards than a
/// manifest may have.
pub fn hash(
    model: &Model,
    listing: &Listing,
    method: Method,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Manifest, WalkError> {
    let hashing = Hashing {
        model,
        method,
        work: file::Work::new(progress),
        busy: AtomicUsize::new(0),
    };
    let expected = listing.files.iter().fold(0_u64, |sum, file| {
        sum.saturating_add(method.resources_of(file.size))
    });
    if expected > MAX_RESOURCES as u64 {
        return Err(model.too_many());
    }

    let mut resources = Vec::with_capacity(usize::try_from(expected).unwrap_or(MAX_RESOURCES));
    let complete =
        |resources| Manifest::new(method, resources).expect("a walk names each file once");
    if listing.files.len() <= SMALL_FILES && listing.bytes() <= ALONE_BYTES {
        for file in &listing.files {
            resources.extend(hashing.narrow(file)?);
        }
        return Ok(complete(resources));
    }

    let (wide, rest): (Vec<&Listed>, Vec<&Listed>) = listing
        .files
        .iter()
        .partition(|file| file.size >= WIDE_BYTES && hashing.can_split(file.size));
    let (mut large, mut small): (Vec<&Listed>, Vec<&Listed>) =
        rest.into_iter().partition(|file| file.size >= LARGE_BYTES);
    // The longest first: the thread that ends last then works alone only for a short time.
    large.sort_unstable_by_key(|file| std::cmp::Reverse(file.size));
    // Neighbours in the same directory are neighbours on the disk and in the kernel's caches.
    small.sort_unstable_by(|one, other| one.name.cmp(&other.name));

    for file in wide {
        hashing.wide(file, &mut resources)?;
    }
    // Until the last one is done every thread can have one for itself, and a second reading ahead would be in the way.
    hashing.busy.store(large.len(), Ordering::Relaxed);
    let hashed: Vec<_> = large
        .par_iter()
        .with_max_len(1)
        .map(|file| {
            let hashed = hashing.narrow(file);
            hashing.busy.fetch_sub(1, Ordering::Relaxed);
            hashed
        })
        .collect::<Result<_, _>>()?;
    resources.extend(hashed.into_iter().flatten());
    for batch in small.chunks(BATCH_FILES) {
        let hashed: Vec<_> = batch
            .par_iter()
            .with_min_len(SMALL_FILES)
            .map(|file| hashing.narrow(file))
            .collect::<Result<_, _>>()?;
        resources.extend(hashed.into_iter().flatten());
    }
    Ok(complete(resources))
}

struct Hashing<'h> {
    model: &'h Model,
    method: Method,
    work: file::Work<'h>,
    /// How many units of work of their own threads still have.
    busy: AtomicUsize,
}

impl Hashing<'_> {
    /// Whether several threads can hash one file of this size.
    fn can_split(&self, size: u64) -> bool {
        match self.method.shard_bytes() {
            None => self.method.algorithm() == crate::hash::Algorithm::Blake3,
            Some(bytes) => size > bytes.get(),
        }
    }

    fn has_idle_core(&self) -> bool {
        self.busy.load(Ordering::Relaxed) < rayon::current_num_threads()
    }

    /// One file by all threads.
    fn wide(&self, file: &Listed, resources: &mut Vec<Resource>) -> Result<(), WalkError> {
        let hashed = stable(self.model, file, |opened| match self.method.shard_bytes() {
            None => {
                let digest = file::tree(&opened.file, opened.size(), &self.work)?;
                Ok(Hashed::File(resource(file, None, digest)))
            }
            Some(bytes) => {
                let shards: Vec<_> = shards(opened.size(), bytes).collect();
                self.busy.store(shards.len(), Ordering::Relaxed);
                let hashed = shards
                    .into_par_iter()
                    .with_max_len(1)
                    .map(|shard| {
                        let hashed = self.part(file, opened, shard);
                        self.busy.fetch_sub(1, Ordering::Relaxed);
                        hashed
                    })
                    .collect::<Result<_, _>>()?;
                Ok(Hashed::Shards(hashed))
            }
        })?;
        resources.extend(hashed);
        Ok(())
    }

    /// One file by this thread, perhaps with another one that reads ahead.
    fn narrow(&self, file: &Listed) -> Result<Hashed, WalkError> {
        stable(self.model, file, |opened| {
            Ok(match self.method.shard_bytes() {
                None => {
                    let digest = self.digest(opened, (0, opened.size()))?;
                    Hashed::File(resource(file, None, digest))
                }
                Some(bytes) => Hashed::Shards(
                    shards(opened.size(), bytes)
                        .map(|shard| self.part(file, opened, shard))
                        .collect::<Result<_, _>>()?,
                ),
            })
        })
    }

    fn part(&self, file: &Listed, opened: &Opened, shard: Shard) -> std::io::Result<Resource> {
        let digest = self.digest(opened, (shard.start, shard.end))?;
        Ok(resource(file, Some(shard), digest))
    }

    fn digest(&self, opened: &Opened, range: (u64, u64)) -> std::io::Result<Digest> {
        let algorithm = self.method.algorithm();
        file::range(&opened.file, range, algorithm, &self.work, || {
            self.has_idle_core()
        })
    }
}

/// How often a file is read whose permissions change each time, before it is given up.
const MAX_READS: usize = 4;

/// Hashes a file that was one file, with one content, from its first byte to its last.
///
/// Whether only its permissions have changed meanwhile, nothing but its content shows: it is hashed again.
pub(crate) fn stable<T: PartialEq>(
    model: &Model,
    file: &Listed,
    hash: impl Fn(&Opened) -> std::io::Result<T>,
) -> Result<T, WalkError> {
    let changed = || WalkError::Changed {
        path: model.path_of(&file.name),
    };
    let unreadable = |source: std::io::Error| {
        // It had its size when it was opened.
        if source.kind() == std::io::ErrorKind::UnexpectedEof {
            return changed();
        }
        WalkError::Unreadable {
            path: model.path_of(&file.name),
            source,
        }
    };
    let mut last: Option<(Opened, T)> = None;
    for _ in 0..MAX_READS {
        let opened = model.open_file(&file.name)?;
        // How the work is spread, and that there are not too many shards, was decided by the size that was listed.
        if opened.size() != file.size {
            return Err(changed());
        }
        let hashed = hash(&opened).map_err(unreadable)?;
        if let Some((earlier, before)) = &last
            && (!opened.is_same_file(earlier) || hashed != *before)
        {
            return Err(changed());
        }
        match opened.change() {
            Ok(Change::None) => return Ok(hashed),
            Ok(Change::Attributes) => last = Some((opened, hashed)),
            Ok(Change::Content) => return Err(changed()),
            Err(error) => return Err(unreadable(error)),
        }
    }
    Err(changed())
}

/// What one file gives. Most give one resource, and a list of one would cost as much again.
#[derive(PartialEq)]
enum Hashed {
    File(Resource),
    Shards(Vec<Resource>),
}

impl IntoIterator for Hashed {
    type Item = Resource;
    type IntoIter = std::iter::Chain<std::option::IntoIter<Resource>, std::vec::IntoIter<Resource>>;

    fn into_iter(self) -> Self::IntoIter {
        let (file, shards) = match self {
            Self::File(resource) => (Some(resource), Vec::new()),
            Self::Shards(resources) => (None, resources),
        };
        file.into_iter().chain(shards)
    }
}

fn resource(file: &Listed, shard: Option<Shard>, digest: Digest) -> Resource {
    Resource {
        path: Arc::clone(&file.name),
        shard,
        digest,
    }
}

fn shards(size: u64, bytes: NonZeroU64) -> impl Iterator<Item = Shard> {
    (0..size.div_ceil(bytes.get())).map(move |number| {
        let start = number.saturating_mul(bytes.get());
        let end = start.saturating_add(bytes.get()).min(size);
        Shard { start, end }
    })
}
