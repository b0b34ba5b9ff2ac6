//! Which model lies beside a bundle, and whether it is the one that was signed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use model_signing::bundle::{Bundle, Content, DigestAlgorithm};
use model_signing::hash::Algorithm;
use model_signing::manifest::{Manifest, Method, SINGLE_FILE};
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
    let directory = directory_of(&file.path);
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
/// not signed with it do not count as files of it: `signatures` are the files with bundles that were found or named, and
/// those beside the signature itself count without being named.
pub(super) fn compare(
    path: &Path,
    statement: &Statement,
    signature: &Path,
    signatures: &BTreeSet<&Path>,
) -> Result<(), Problem> {
    let model =
        Model::open(path, statement.allow_symlinks).map_err(|error| Problem::of_walk(&error))?;
    let mut ignored = Ignored::none();
    ignored.add_git_paths();
    for left_out in std::iter::once(signature.to_owned()).chain(others(
        path,
        &statement.manifest,
        signature,
        signatures,
    )) {
        ignored
            .add(path, &left_out)
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

/// The signatures in a model besides the one that is compared, other than those that were signed with it.
fn others(
    model: &Path,
    signed: &Manifest,
    signature: &Path,
    signatures: &BTreeSet<&Path>,
) -> BTreeSet<PathBuf> {
    let directory = directory_of(signature);
    // Beside its model lie other models with theirs.
    let lies_inside = is_here(model) || directory.starts_with(model);
    let beside = lies_inside.then(|| fs::read_dir(&directory)).into_iter();
    let beside = beside.flatten().flatten().flatten();
    let beside = beside.map(|entry| directory.join(entry.file_name()));
    let from = if is_here(model) { Path::new("") } else { model };
    let known = files::below(signatures, from).map(Path::to_owned);
    known
        .chain(beside)
        .filter(|other| files::has_signature_name(other))
        .filter_map(|other| {
            let name = inside(model, &other)?;
            let is_signed = signed.paths().any(|path| Path::new(&**path) == name);
            (!is_signed).then(|| model.join(name))
        })
        .collect()
}

/// The name in a model of a path that leads into it.
fn inside<'p>(model: &Path, path: &'p Path) -> Option<&'p Path> {
    let name = match path.strip_prefix(model) {
        Ok(name) => name,
        // What was named without a directory does not begin with `.`.
        Err(_) if is_here(model) => path,
        Err(_) => return None,
    };
    let mut parts = name.components();
    parts
        .all(|part| matches!(part, Component::Normal(_)))
        .then_some(name)
}

fn is_here(directory: &Path) -> bool {
    directory == Path::new(".")
}

/// The directory of a file; `.` if its path names none.
fn directory_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use super::*;

    #[test]
    fn a_path_leads_into_a_model_by_plain_names_alone() {
        for (model, path, expected) in [
            ("m", "m/a.sig", Some("a.sig")),
            ("m", "m/b/a.sig", Some("b/a.sig")),
            ("./m", "./m/a.sig", Some("a.sig")),
            ("m", "n/a.sig", None),
            ("m", "m/../a.sig", None),
            ("m", "/m/a.sig", None),
            (".", "a.sig", Some("a.sig")),
            (".", "./a.sig", Some("a.sig")),
            (".", "b/a.sig", Some("b/a.sig")),
            (".", "../a.sig", None),
            (".", "/a.sig", None),
        ] {
            let found = inside(Path::new(model), Path::new(path));
            assert_eq!(found, expected.map(Path::new), "{path} in {model}");
        }
    }

    #[test]
    fn other_signatures_in_a_model_are_those_that_were_found_or_lie_beside_and_were_not_signed() {
        let directory = tempfile::tempdir().unwrap();
        let model = directory.path().join("model");
        fs::create_dir_all(model.join("deep")).unwrap();
        for name in [
            "a.sig",
            "b.sigstore.json",
            "signed.sig",
            "weights.bin",
            "deep/c.sig",
            "deep/d.sig",
        ] {
            fs::write(model.join(name), name).unwrap();
        }
        // What was signed.
        let signed = directory.path().join("signed");
        fs::create_dir(&signed).unwrap();
        for name in ["signed.sig", "weights.bin"] {
            fs::copy(model.join(name), signed.join(name)).unwrap();
        }
        let signed = Model::open(&signed, false).unwrap();
        let listing = signed.walk(&Ignored::none()).unwrap();
        let manifest = model::hash(&signed, &listing, Method::files(Algorithm::Sha256), &|_| ());
        let manifest = manifest.unwrap();
        let found = [model.join("deep/c.sig"), directory.path().join("e.sig")];
        let found: BTreeSet<&Path> = found.iter().map(PathBuf::as_path).collect();
        let in_it = others(&model, &manifest, &model.join("a.sig"), &found);
        let names = ["a.sig", "b.sigstore.json", "deep/c.sig"];
        assert_eq!(in_it, names.map(|name| model.join(name)).into());
        // A signature beside its model: what else lies there is in no model.
        let beside = others(
            &model,
            &manifest,
            &directory.path().join("model.sig"),
            &found,
        );
        assert_eq!(beside, [model.join("deep/c.sig")].into());
    }
}
