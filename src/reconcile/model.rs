//! Which model lies beside a bundle, and whether it is the one that was signed.

use std::fs;
use std::path::{Path, PathBuf};

use model_signing::bundle::{Bundle, Content, DigestAlgorithm};
use model_signing::hash::Algorithm;
use model_signing::manifest::{Method, SINGLE_FILE};
use model_signing::model::{self, MismatchError, Options};
use model_signing::statement::Statement;
use model_signing::walk::{Ignored, Model, WalkError};

use super::files::{self, BundleFile};
use super::line::{ChangedFiles, Kind};

/// What the name of a signature adds to that of its model.
const ADDED: [&str; 8] = [
    ".sigstore.json",
    ".sigstore",
    ".bundle.json",
    ".model.sig",
    ".sig",
    ".bundle",
    ".signature.json",
    ".json",
];

/// What a signature in its model is called, unless it is given another name.
const USUAL_NAME: &str = "model.sig";

/// A model that is not as it was signed, or that cannot be read.
pub(super) struct Problem {
    pub(super) kind: Kind,
    pub(super) why: String,
    pub(super) files: Option<ChangedFiles>,
}

impl Problem {
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an error or a text that its caller has no other use for"
    )]
    fn changed(why: impl ToString) -> Self {
        Self {
            kind: Kind::ModelChanged,
            why: why.to_string(),
            files: None,
        }
    }

    fn of_walk(error: &WalkError) -> Self {
        match error {
            WalkError::Unreadable { .. } | WalkError::TooMany { .. } => Self {
                kind: Kind::Unreadable,
                why: format!("the model cannot be read: {error}"),
                files: None,
            },
            // A symlink or a device where a file was signed is another model.
            other => Self::changed(format!("the model is not what was signed: {other}")),
        }
    }
}

/// The model beside a bundle, if there is one.
///
/// The specification has a signature beside its model or in it. `is_alone`: no other bundle lies in the same directory.
pub(super) fn beside(
    file: &BundleFile,
    bundle: &Bundle,
    is_alone: bool,
    statement: Option<&Statement>,
) -> Option<PathBuf> {
    let directory = match file.path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let name = file.path.file_name()?.to_str();
    let by_name = name.and_then(|name| named_like(&directory, name));
    let Some(statement) = statement else {
        // A signature over a file: only the name leads to the file.
        return match bundle.content() {
            Content::Message { .. } => by_name.filter(|path| path.is_file()),
            Content::Dsse(_) => None,
        };
    };
    let mut paths = statement.manifest.paths();
    let holds_signed =
        paths.any(|path| **path != *SINGLE_FILE && is_there(&directory.join(&**path)));
    let named = statement.name.as_deref().filter(|name| is_plain(name));
    let is_its_name = named.is_some_and(|name| {
        let real = directory.canonicalize().ok();
        real.and_then(|real| Some(real.file_name()?.to_owned()))
            .is_some_and(|last| last == name)
    });
    // A model that is one file lies beside its signature under the name that was signed.
    if holds_signed && !named.is_some_and(|name| is_single(statement, name)) {
        return Some(directory);
    }
    if let Some(beside) = named
        .map(|name| directory.join(name))
        .filter(|path| is_there(path))
    {
        return Some(beside);
    }
    let is_model = is_its_name || holds_signed || name == Some(USUAL_NAME);
    if is_model && has_others(&directory, &file.path) {
        return Some(directory);
    }
    if by_name.is_some() {
        return by_name;
    }
    // A directory with one signature and other files is a model, also if nothing that was signed is left of it.
    (file.is_found && is_alone && has_others(&directory, &file.path)).then_some(directory)
}

fn is_single(statement: &Statement, name: &str) -> bool {
    let mut paths = statement.manifest.paths();
    matches!((paths.next(), paths.next()), (Some(only), None) if **only == *name || **only == *SINGLE_FILE)
}

/// A name that leads to no other directory.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.contains('/') && name != "." && name != ".."
}

fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// `falcon-7b` of `falcon-7b.sig`, if it is there.
fn named_like(directory: &Path, name: &str) -> Option<PathBuf> {
    let stems = ADDED.iter().filter_map(|added| name.strip_suffix(added));
    stems
        .filter(|stem| is_plain(stem))
        .map(|stem| directory.join(stem))
        .find(|path| is_there(path))
}

/// Whether a directory holds anything besides a signature; if it cannot be read, it does.
fn has_others(directory: &Path, signature: &Path) -> bool {
    let Ok(mut entries) = fs::read_dir(directory) else {
        return true;
    };
    entries.any(|entry| entry.is_ok_and(|entry| Some(&*entry.file_name()) != signature.file_name()))
}

/// Compares a model with the statement that was signed about it, as `verify` does. Other signatures in the model that were
/// not signed with it do not count as files of it: `signatures` are the files with bundles that were found.
pub(super) fn compare(
    path: &Path,
    statement: &Statement,
    signature: &Path,
    signatures: &[BundleFile],
) -> Result<(), Problem> {
    let model =
        Model::open(path, statement.allow_symlinks).map_err(|error| Problem::of_walk(&error))?;
    let mut ignored = Ignored::none();
    ignored.add_git_paths();
    let others = signatures
        .iter()
        .map(|file| file.path.as_path())
        .filter(|other| other.starts_with(path) && files::has_signature_name(other))
        .filter(|other| {
            let mut signed = statement.manifest.paths();
            !signed.any(|name| path.join(&**name) == **other)
        });
    for left_out in std::iter::once(signature).chain(others) {
        ignored
            .add(path, left_out)
            .map_err(|error| Problem::changed(format!("{}: {error}", left_out.display())))?;
    }
    if ignored.hides_everything() {
        return Err(Problem::changed("the signature is the model itself"));
    }
    let options = Options {
        ignored,
        ignore_unsigned: false,
    };
    match model::verify(&model, statement, &options, &|_| ()) {
        Ok(_) => Ok(()),
        Err(MismatchError::Walk(error)) => Err(Problem::of_walk(&error)),
        Err(error) => {
            let files = match &error {
                MismatchError::Differs(differences) => Some(differences.into()),
                _ => None,
            };
            Err(Problem {
                files,
                ..Problem::changed(error)
            })
        }
    }
}

/// Compares a file with the digest that was signed. `None`: by a hash that is not computed here.
pub(super) fn compare_file(path: &Path, bundle: &Bundle) -> Option<Result<(), Problem>> {
    let Content::Message {
        digest_algorithm: DigestAlgorithm::Sha2_256,
        digest,
        ..
    } = bundle.content()
    else {
        return None;
    };
    let hashed = Model::open(path, true).and_then(|file| {
        let listing = file.walk(&Ignored::none())?;
        model::hash(&file, &listing, Method::files(Algorithm::Sha256), &|_| ())
    });
    Some(match hashed {
        Err(error) => Err(Problem::of_walk(&error)),
        Ok(manifest) => {
            let found = manifest.resources().first().map(|file| &file.digest);
            if found.is_some_and(|found| found.as_bytes() == digest) {
                Ok(())
            } else {
                let found = found.map_or_else(|| "nothing".to_owned(), ToString::to_string);
                let why = format!(
                    "the file is not what was signed: its digest is {found}, signed was {}",
                    hex::encode(digest)
                );
                Err(Problem::changed(why))
            }
        }
    })
}
