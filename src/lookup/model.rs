//! The digests by which a signed statement names a model.

use std::num::NonZeroU64;
use std::path::Path;

use model_signing::hash::Algorithm;
use model_signing::manifest::Method;
use model_signing::model;
use model_signing::walk::{DOWNLOAD_CACHE, Ignored, Model, WalkError};

use super::question::DigestIs;

/// What signatures in a model are called.
const SIGNATURES: [&str; 3] = ["model.sig", "model.sigstore.json", "claims.jsonl"];

/// The size of a shard that the specification names, and that Python's `model_signing` uses, if the signer asks for no other.
const SHARD_BYTES: NonZeroU64 = NonZeroU64::new(1_000_000_000).expect("it is not zero");

/// Why the digests of a model cannot be computed.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// It cannot be read.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// Nobody signs this.
    #[error("{0} has no file that a signature would cover: is the download complete?")]
    NoFile(String),
    /// What was signed is not here.
    #[error(
        "{0} is a pointer file of Git LFS, and not the file that it represents: `git lfs pull` downloads it"
    )]
    Pointer(String),
}

/// The root digests of a model as signatures by `modelwatch sign` and the reference implementation have them: over whole files,
/// and over shards of the usual size, with each hash function of the format, in both orders of files that are in use. Git's files,
/// a signature in the model and what a download has left there do not count. Of a model that is one file, also the digests of
/// the file. Each file is read once.
///
/// A signature over shards of another size has another root: it is not among these.
///
/// `symlinks`: the files that symlinks lead to are part of the model; otherwise a symlink is an error.
///
/// # Errors
///
/// The model cannot be read, has no file, or has a pointer of Git LFS in place of a file: it would be found nowhere.
pub fn roots(
    path: &Path,
    symlinks: bool,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<DigestIs, ModelError> {
    let model = Model::open(path, symlinks)?;
    let mut ignored = Ignored::none();
    ignored.add_git_paths();
    for name in SIGNATURES {
        let signature = path.join(name);
        if !model.is_file() && signature.is_file() {
            // It is in the model, so that the path can be ignored.
            let _ = ignored.add(path, &signature);
        }
    }
    if !model.is_file() {
        let _ = ignored.add(path, &path.join(DOWNLOAD_CACHE));
    }
    let listing = model.walk(&ignored)?;
    if listing.files.is_empty() {
        return Err(ModelError::NoFile(path.display().to_string()));
    }
    if let Some(name) = listing.lfs_pointers(&model)?.into_iter().next() {
        return Err(ModelError::Pointer(name));
    }
    let mut methods = Vec::new();
    for algorithm in Algorithm::ALL {
        methods.push(Method::files(algorithm));
        methods.extend(Method::shards(algorithm, SHARD_BYTES));
    }
    let mut any_of = Vec::new();
    for manifest in model::hash_by_each(&model, &listing, &methods, progress)? {
        // A root is always a SHA-256, over digests by the hash function of the method.
        for root in [manifest.root(), manifest.root_path_order()] {
            any_of.push(format!("sha256:{root}"));
        }
        let method = manifest.method();
        if model.is_file() && method.shard_bytes().is_none() {
            let file = manifest.resources().first();
            any_of.extend(file.map(|file| format!("{}:{}", method.algorithm(), file.digest)));
        }
    }
    any_of.sort_unstable();
    any_of.dedup();
    Ok(DigestIs { any_of })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use std::fs;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn a_model_is_known_by_its_files_and_by_its_shards_and_is_read_once() {
        let dir = tempfile::tempdir().unwrap();
        // An empty file has no shard: the roots differ.
        for (name, content) in [("config.json", "{}"), ("weights", "0123"), ("empty", "")] {
            fs::write(dir.path().join(name), content).unwrap();
        }
        let listing = |model: &Model| model.walk(&Ignored::none()).unwrap();
        let model = Model::open(dir.path(), false).unwrap();
        let mut expected = Vec::new();
        for algorithm in Algorithm::ALL {
            for method in [
                Method::files(algorithm),
                Method::shards(algorithm, SHARD_BYTES).unwrap(),
            ] {
                let manifest = model::hash(&model, &listing(&model), method, &|_| ()).unwrap();
                expected.push(format!("sha256:{}", manifest.root()));
            }
        }
        expected.sort_unstable();
        expected.dedup();
        assert_eq!(expected.len(), 6);
        // A signature in the model does not count.
        fs::write(dir.path().join("model.sig"), "{}").unwrap();
        fs::create_dir_all(dir.path().join(".cache/huggingface")).unwrap();
        fs::write(dir.path().join(".cache/huggingface/.gitignore"), "*").unwrap();
        let read = AtomicU64::new(0);
        let progress = |bytes: u64| {
            read.fetch_add(bytes, Ordering::Relaxed);
        };
        let found = roots(dir.path(), false, &progress).unwrap();
        assert_eq!(found.any_of, expected);
        assert_eq!(read.into_inner(), 6);
        let file = roots(&dir.path().join("weights"), false, &|_| ()).unwrap();
        let digest = Algorithm::Blake3.digest(b"0123");
        assert!(file.any_of.contains(&format!("blake3:{digest}")));
        assert!(roots(&dir.path().join("absent"), false, &|_| ()).is_err());
    }

    #[test]
    fn the_files_that_symlinks_lead_to_count_if_this_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let (blobs, snapshot) = (dir.path().join("blobs"), dir.path().join("snapshot"));
        fs::create_dir(&blobs).unwrap();
        fs::create_dir(&snapshot).unwrap();
        fs::write(blobs.join("weights"), "0123").unwrap();
        std::os::unix::fs::symlink("../blobs/weights", snapshot.join("weights")).unwrap();
        let error = roots(&snapshot, false, &|_| ()).unwrap_err();
        assert!(error.to_string().contains("--allow-symlinks"), "{error}");
        let followed = roots(&snapshot, true, &|_| ()).unwrap();
        assert_eq!(followed, roots(&blobs, false, &|_| ()).unwrap());
    }

    #[test]
    fn a_model_that_nobody_signs_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(".git")).unwrap();
        fs::write(dir.path().join(".git/HEAD"), "ref: refs/heads/main").unwrap();
        let error = roots(dir.path(), false, &|_| ()).unwrap_err();
        assert!(matches!(error, ModelError::NoFile(_)), "{error}");
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
        fs::write(dir.path().join("model.safetensors"), pointer).unwrap();
        let error = roots(dir.path(), false, &|_| ()).unwrap_err();
        assert!(
            matches!(&error, ModelError::Pointer(name) if name == "model.safetensors"),
            "{error}"
        );
    }
}
