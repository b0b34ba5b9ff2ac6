//! Random models: as they were signed they verify, and with anything else in them they do not.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    reason = "a temporary directory that cannot be written is a failed test"
)]

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroU64;
use std::os::unix::fs::symlink;
use std::path::Path;

use model_signing::hash::Algorithm;
use model_signing::manifest::Method;
use model_signing::model::{self, MismatchError, Options};
use model_signing::statement::Statement;
use model_signing::walk::{Ignored, Model, WalkError};
use proptest::prelude::*;
use rustix::fs::{CWD, FileType, Mode, mknodat};

/// Names that sort in ways which a careless order gets wrong. No name is a directory in one place and a file in another.
const FILES: [&str; 8] = ["a", "a.b", "a b", "é", "Z", "10", "9", "f:0:1"];
const DIRECTORIES: [&str; 4] = ["", "d/", "d-e/", "d/è/"];

type Tree = BTreeMap<String, Vec<u8>>;

fn tree() -> impl Strategy<Value = Tree> {
    let name = (0..DIRECTORIES.len(), 0..FILES.len())
        .prop_map(|(directory, file)| format!("{}{}", DIRECTORIES[directory], FILES[file]));
    // Never empty: in shards an empty file leaves no trace, which is a rule of the format and not an accident of ours.
    let content = prop::collection::vec(any::<u8>(), 1..50);
    prop::collection::btree_map(name, content, 1..12)
}

fn method() -> impl Strategy<Value = Method> {
    let files = (0..3_usize).prop_map(|one| Method::files(Algorithm::ALL[one]));
    let shards = (0..3_usize, 1..60_u64).prop_map(|(one, bytes)| {
        Method::shards(Algorithm::ALL[one], NonZeroU64::new(bytes).unwrap()).unwrap()
    });
    prop_oneof![files, shards]
}

#[derive(Debug, Clone, Copy)]
enum Mutation {
    FlipABit,
    Append,
    CutTheEnd,
    Rename,
    Remove,
    AddAFile,
    SwapTwoContents,
    ReplaceByALink,
    ReplaceByADirectory,
    ReplaceByAFifo,
    LinkTheDirectory,
}

const MUTATIONS: [Mutation; 11] = [
    Mutation::FlipABit,
    Mutation::Append,
    Mutation::CutTheEnd,
    Mutation::Rename,
    Mutation::Remove,
    Mutation::AddAFile,
    Mutation::SwapTwoContents,
    Mutation::ReplaceByALink,
    Mutation::ReplaceByADirectory,
    Mutation::ReplaceByAFifo,
    Mutation::LinkTheDirectory,
];

impl Mutation {
    /// Answers whether there was something to change in this way.
    fn apply(self, root: &Path, tree: &Tree, pick: usize) -> bool {
        let names: Vec<_> = tree.keys().collect();
        let name = names[pick % names.len()];
        let path = root.join(name);
        let mut content = tree[name].clone();
        let outside = root.parent().unwrap().join("outside");
        match self {
            Self::FlipABit => {
                let at = pick % content.len();
                content[at] ^= 1 << (pick % 8);
                fs::write(path, content).unwrap();
            }
            Self::Append => {
                content.push(0);
                fs::write(path, content).unwrap();
            }
            Self::CutTheEnd => {
                content.pop();
                fs::write(path, content).unwrap();
            }
            Self::Rename => fs::rename(&path, root.join(format!("{name}~"))).unwrap(),
            Self::Remove => fs::remove_file(path).unwrap(),
            Self::AddAFile => fs::write(root.join("extra"), "x").unwrap(),
            Self::SwapTwoContents => {
                let other = names[(pick + 1) % names.len()];
                if tree[name] == tree[other] {
                    return false;
                }
                fs::write(&path, &tree[other]).unwrap();
                fs::write(root.join(other), content).unwrap();
            }
            Self::ReplaceByALink => {
                fs::rename(&path, &outside).unwrap();
                symlink(&outside, path).unwrap();
            }
            Self::ReplaceByADirectory => {
                fs::remove_file(&path).unwrap();
                fs::create_dir(path).unwrap();
            }
            Self::ReplaceByAFifo => {
                fs::remove_file(&path).unwrap();
                mknodat(CWD, path, FileType::Fifo, Mode::RUSR, 0).unwrap();
            }
            Self::LinkTheDirectory => {
                let directory = root.join("d");
                if !directory.is_dir() {
                    return false;
                }
                fs::rename(&directory, &outside).unwrap();
                symlink(&outside, directory).unwrap();
            }
        }
        true
    }
}

fn sign(root: &Path, method: Method) -> Statement {
    let model = Model::open(root, false).unwrap();
    let listing = model.walk(&Ignored::none()).unwrap();
    let manifest = model::hash(&model, &listing, method, &|_| ()).unwrap();
    let statement = Statement::new(model.name().unwrap(), manifest, false, Vec::new()).unwrap();
    // What is compared later is what was read, never what was written.
    let read = Statement::parse(statement.to_json().as_bytes()).unwrap();
    assert_eq!(read, statement);
    read
}

fn verify(root: &Path, statement: &Statement, ignore_unsigned: bool) -> Result<(), MismatchError> {
    let model = Model::open(root, false)?;
    let options = Options {
        ignored: Ignored::none(),
        ignore_unsigned,
    };
    model::verify(&model, statement, &options, &|_| ()).map(drop)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_model_verifies_as_it_was_signed_and_in_no_other_state(
        tree in tree(),
        method in method(),
        mutation in 0..MUTATIONS.len(),
        pick in any::<prop::sample::Index>(),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("model");
        for (name, content) in &tree {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let statement = sign(&root, method);
        prop_assert!(verify(&root, &statement, false).is_ok());
        prop_assert!(verify(&root, &statement, true).is_ok());

        let mutation = MUTATIONS[mutation];
        prop_assume!(mutation.apply(&root, &tree, pick.index(1 << 20)));
        let refused = verify(&root, &statement, false);
        prop_assert!(
            matches!(
                refused,
                Err(MismatchError::Differs(_)
                    | MismatchError::Walk(WalkError::Symlink { .. } | WalkError::Special { .. }))
            ),
            "{mutation:?}: {refused:?}"
        );
        let ignoring = verify(&root, &statement, true);
        let is_only_extra = matches!(mutation, Mutation::AddAFile);
        prop_assert_eq!(ignoring.is_ok(), is_only_extra, "{:?}: {:?}", mutation, ignoring);
    }
}
