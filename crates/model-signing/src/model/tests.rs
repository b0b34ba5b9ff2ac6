//! Models on disk.
#![expect(
    clippy::unwrap_used,
    reason = "a temporary directory that cannot be written is a failed test"
)]

use std::fs;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Mutex;
#[cfg(unix)]
use std::{
    fs::File,
    io::{Seek as _, Write as _},
    os::unix::fs::{FileExt as _, MetadataExt as _, symlink},
    path::Path,
};

use super::*;
use crate::hash::Algorithm;
use crate::manifest::{Manifest, Method, Resource};
use crate::statement::NotSignable;

const SHA256: Method = Method::files(Algorithm::Sha256);

/// A directory with a model in it, and what is beside it.
struct World(tempfile::TempDir);

impl World {
    fn new(files: &[(&str, &str)]) -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        fs::create_dir(world.model()).unwrap();
        for (name, content) in files {
            world.write(name, content);
        }
        world
    }

    fn model(&self) -> PathBuf {
        self.0.path().join("falcon")
    }

    fn at(&self, name: &str) -> PathBuf {
        self.model().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::create_dir_all(self.at(name).parent().unwrap()).unwrap();
        fs::write(self.at(name), content).unwrap();
    }

    #[cfg(unix)]
    fn link(&self, name: &str, target: &str) {
        symlink(target, self.at(name)).unwrap();
    }

    #[cfg(unix)]
    fn fifo(&self, name: &str) {
        let kind = rustix::fs::FileType::Fifo;
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, self.at(name), kind, mode, 0).unwrap();
    }

    fn open(&self, allow_symlinks: bool) -> Model {
        Model::open(&self.model(), allow_symlinks).unwrap()
    }

    #[cfg(unix)]
    fn walked(&self, allow_symlinks: bool, ignored: &Ignored) -> Result<String, WalkError> {
        Ok(names(&self.open(allow_symlinks).walk(ignored)?))
    }

    fn manifest(&self) -> Manifest {
        let model = self.open(false);
        let listing = model.walk(&Ignored::none()).unwrap();
        hash(&model, &listing, SHA256, &|_| ()).unwrap()
    }

    fn signed(&self, ignored: &[&str]) -> Statement {
        let ignored = ignored.iter().map(|&path| path.to_owned()).collect();
        Statement::new("falcon", self.manifest(), false, ignored).unwrap()
    }

    fn verify(&self, statement: &Statement, ignore_unsigned: bool) -> Result<(), String> {
        let options = Options {
            ignored: Ignored::none(),
            ignore_unsigned,
        };
        verify(&self.open(false), statement, &options, &|_| ())
            .map(drop)
            .map_err(|error| error.to_string())
    }
}

fn names(listing: &Listing) -> String {
    let mut names: Vec<_> = listing.files.iter().map(|file| &*file.name).collect();
    names.sort_unstable();
    names.join(" ")
}

#[cfg(unix)]
fn ignoring(paths: &[&str]) -> Ignored {
    let mut ignored = Ignored::none();
    ignored.add_recorded(paths.iter().copied());
    ignored
}

#[cfg(unix)]
#[test]
fn a_walk_finds_every_file_and_no_directory() {
    let world = World::new(&[("b", ""), ("a/.hidden", "x"), ("a/c/d", ""), (" ", "")]);
    fs::create_dir_all(world.at("empty/very")).unwrap();
    let walked = |paths: &[&str]| world.walked(false, &ignoring(paths)).unwrap();
    assert_eq!(walked(&[]), "  a/.hidden a/c/d b");
    assert_eq!(walked(&["a/c", " "]), "a/.hidden b");
    assert_eq!(walked(&["a"]), "  b");
    assert_eq!(walked(&["."]), "");
}

#[cfg(unix)]
#[test]
fn every_file_is_hashed_however_many_there_are() {
    let world = World::new(&[("0", "x")]);
    let all = hashing::BATCH_FILES + 1;
    for number in 1..all {
        fs::hard_link(world.at("0"), world.at(&number.to_string())).unwrap();
    }
    let manifest = world.manifest();
    assert_eq!(manifest.paths().count(), all);
    let digest = Algorithm::Sha256.digest(b"x");
    assert!(
        manifest
            .resources()
            .iter()
            .all(|file| file.digest == digest)
    );
}

#[cfg(unix)]
#[test]
fn a_symlink_is_refused_unless_it_is_allowed_or_ignored() {
    let world = World::new(&[("d/a", "x")]);
    world.link("link", "d/a");
    world.link("linked", "d");
    let refused = world.walked(false, &ignoring(&["linked"])).unwrap_err();
    assert!(matches!(&refused, WalkError::Symlink { path } if *path == world.at("link")));
    assert_eq!(
        world.walked(false, &ignoring(&["link", "linked"])).unwrap(),
        "d/a"
    );

    let model = world.open(true);
    let listing = model.walk(&Ignored::none()).unwrap();
    assert_eq!(names(&listing), "d/a link");
    assert_eq!(listing.linked_directories, ["linked"]);
    let manifest = hash(&model, &listing, SHA256, &|_| ()).unwrap();
    let [one, other] = manifest.resources() else {
        panic!("{manifest:?}")
    };
    assert_eq!(one.digest, other.digest);

    world.link("dangling", "nothing");
    world.link("loop", "loop");
    for (broken, other) in [("dangling", "loop"), ("loop", "dangling")] {
        let refused = world.walked(true, &ignoring(&[other])).unwrap_err();
        assert!(matches!(&refused, WalkError::Special { path, .. } if *path == world.at(broken)));
    }
}

#[cfg(unix)]
#[test]
fn a_special_file_is_refused_and_not_waited_for() {
    let world = World::new(&[("a", "")]);
    world.fifo("pipe");
    let refused = world.walked(false, &Ignored::none()).unwrap_err();
    assert!(
        refused
            .to_string()
            .ends_with("falcon/pipe\" is a FIFO, neither a regular file nor a directory")
    );
    assert_eq!(world.walked(false, &ignoring(&["pipe"])).unwrap(), "a");
    let opened = world.open(false).open_file("pipe");
    assert!(matches!(
        opened.map(drop),
        Err(WalkError::Special { what: "a FIFO", .. })
    ));
    assert!(matches!(
        Model::open(Path::new("/dev/null"), false),
        Err(WalkError::Special {
            what: "a device",
            ..
        })
    ));
}

#[cfg(unix)]
#[test]
fn a_model_has_the_name_of_its_path() {
    let world = World::new(&[("sub/f", "x")]);
    symlink(world.model(), world.0.path().join("latest")).unwrap();
    for (path, links, name) in [
        ("falcon", false, "falcon"),
        ("falcon/", false, "falcon"),
        ("falcon/.", false, "falcon"),
        ("./falcon", false, "falcon"),
        ("falcon/sub/..", false, "falcon"),
        ("falcon/sub/../../falcon", false, "falcon"),
        ("falcon/sub/f", false, "f"),
        ("latest", true, "latest"),
        ("latest/sub", false, "sub"),
    ] {
        let model = Model::open(&world.0.path().join(path), links).unwrap();
        assert_eq!(model.name().unwrap(), name, "{path}");
    }
    for path in ["latest", "latest/", "latest/."] {
        let opened = Model::open(&world.0.path().join(path), false);
        assert!(matches!(opened, Err(WalkError::Symlink { .. })), "{path}");
    }
    let missing = Model::open(&world.at("no"), false).unwrap_err();
    assert!(missing.to_string().contains("falcon/no\" cannot be read"));
}

#[test]
fn a_single_file_is_a_model_with_one_file() {
    let world = World::new(&[("weights", "x")]);
    let model = Model::open(&world.at("weights"), false).unwrap();
    let listing = model.walk(&Ignored::none()).unwrap();
    let manifest = hash(&model, &listing, SHA256, &|_| ()).unwrap();
    assert_eq!(names(&listing), "weights");
    assert_eq!(
        manifest.resources()[0].digest,
        SHA256.algorithm().digest(b"x")
    );
}

#[cfg(unix)]
#[test]
fn a_single_file_without_a_text_for_its_name_has_a_digest() {
    use std::os::unix::ffi::OsStrExt as _;
    let world = World::new(&[("f", "x")]);
    let path = world.model().join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    fs::rename(world.at("f"), &path).unwrap();
    let model = Model::open(&path, false).unwrap();
    let listing = model.walk(&Ignored::none()).unwrap();
    let manifest = hash(&model, &listing, SHA256, &|_| ()).unwrap();
    let root = Algorithm::Sha256.digest(Algorithm::Sha256.digest(b"x").as_bytes());
    assert_eq!(manifest.root(), root);
    assert!(matches!(model.name(), Err(WalkError::NotUtf8 { .. })));
}

#[cfg(unix)]
#[test]
fn a_name_that_json_cannot_hold_is_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let world = World::new(&[]);
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9");
    fs::write(world.model().join(name), "").unwrap();
    let refused = world.walked(false, &Ignored::none()).unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("falcon/caf\\xE9\" is not UTF-8"),
        "{refused}"
    );
}

#[cfg(unix)]
type Change = fn(&World, &File);

#[cfg(unix)]
#[test]
fn a_file_that_changes_while_it_is_hashed_is_refused() {
    let append: Change = |_, mut file| file.write_all(b"x").unwrap();
    let overwrite: Change = |_, mut file| {
        file.rewind().unwrap();
        file.write_all(b"x").unwrap();
    };
    let cut: Change = |_, file| file.set_len(1).unwrap();
    let swap: Change = |world, _| fs::rename(world.at("other"), world.at("f")).unwrap();
    let touch_back: Change = |_, file| {
        let metadata = file.metadata().unwrap();
        file.write_all_at(b"y", 5).unwrap();
        file.set_modified(metadata.modified().unwrap()).unwrap();
    };
    for (what, change) in [
        ("append", append),
        ("overwrite", overwrite),
        ("cut", cut),
        ("swap", swap),
        ("touch back", touch_back),
    ] {
        for algorithm in Algorithm::ALL {
            let world = World::new(&[("f", &"a".repeat(3 << 20)), ("other", "")]);
            // Whatever was written long ago; and its file system's clock, which is coarse, has moved on since.
            let past = std::time::SystemTime::UNIX_EPOCH;
            let file = File::options()
                .append(what == "append")
                .write(true)
                .open(world.at("f"))
                .unwrap();
            file.set_modified(past).unwrap();
            let changed = |name| {
                let metadata = fs::metadata(world.at(name)).unwrap();
                (metadata.ctime(), metadata.ctime_nsec())
            };
            while changed("other") <= changed("f") {
                world.write("other", "");
            }
            let model = world.open(false);
            let listing = model.walk(&ignoring(&["other"])).unwrap();
            // Changed once, when a part of it has been read.
            let file = Mutex::new(Some(file));
            let progress = |_| {
                if let Some(file) = file.lock().unwrap().take() {
                    change(&world, &file);
                }
            };
            let hashed = hash(&model, &listing, Method::files(algorithm), &progress);
            assert!(
                matches!(&hashed, Err(WalkError::Changed { path }) if *path == world.at("f")),
                "{what}: {hashed:?}"
            );
        }
    }
}

#[cfg(unix)]
/// A file whose clock has moved on since it was written, so that a change now is seen.
fn aged(world: &World, name: &str) {
    let changed = |name: &str| {
        let metadata = fs::metadata(world.at(name)).unwrap();
        (metadata.ctime(), metadata.ctime_nsec())
    };
    while changed("clock") <= changed(name) {
        world.write("clock", "");
    }
}

#[cfg(unix)]
#[test]
fn a_change_of_permissions_while_it_is_hashed_is_no_change_of_content() {
    use std::os::unix::fs::PermissionsExt as _;

    for (what, times, is_accepted) in [("once", 1, true), ("twice", 2, true), ("always", 99, false)]
    {
        for method in [
            SHA256,
            Method::files(Algorithm::Blake3),
            Method::shards(Algorithm::Sha256, NonZeroU64::new(1 << 20).unwrap()).unwrap(),
        ] {
            let content = "a".repeat(3 << 20);
            let world = World::new(&[("f", &content), ("clock", "")]);
            aged(&world, "f");
            let model = world.open(false);
            let listing = model.walk(&ignoring(&["clock"])).unwrap();
            // Once in each pass over the file.
            let left = Mutex::new((times, 0_u64));
            let progress = |bytes| {
                let mut left = left.lock().unwrap();
                left.1 += bytes;
                if left.1 >= 3 << 20 {
                    left.1 = 0;
                    if left.0 > 0 {
                        left.0 -= 1;
                        let mode = if left.0 % 2 == 0 { 0o600 } else { 0o640 };
                        let permissions = fs::Permissions::from_mode(mode);
                        fs::set_permissions(world.at("f"), permissions).unwrap();
                        // So that the next pass begins with a time of its own.
                        aged(&world, "f");
                    }
                }
            };
            let hashed = hash(&model, &listing, method, &progress);
            assert_eq!(hashed.is_ok(), is_accepted, "{what}: {hashed:?}");
            if let Ok(manifest) = hashed
                && method == SHA256
            {
                let digest = Algorithm::Sha256.digest(content.as_bytes());
                assert_eq!(manifest.resources()[0].digest, digest);
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_takes_the_place_of_its_equal_while_it_is_hashed_is_refused() {
    let content = "a".repeat(3 << 20);
    let world = World::new(&[("f", &content), ("g", &content), ("clock", "")]);
    aged(&world, "f");
    let model = world.open(false);
    let listing = model.walk(&ignoring(&["clock", "g"])).unwrap();
    let once = Mutex::new(Some(()));
    let progress = |_| {
        if once.lock().unwrap().take().is_some() {
            fs::rename(world.at("g"), world.at("f")).unwrap();
        }
    };
    let hashed = hash(&model, &listing, SHA256, &progress);
    assert!(
        matches!(&hashed, Err(WalkError::Changed { .. })),
        "{hashed:?}"
    );
}

#[cfg(unix)]
#[test]
fn symlinks_that_lead_out_of_the_model_are_listed() {
    let world = World::new(&[("d/a", "x")]);
    fs::write(world.0.path().join("outside"), "y").unwrap();
    fs::create_dir(world.0.path().join("falcon-2")).unwrap();
    world.link("inside", "d/a");
    world.link("around", "../falcon/d/a");
    world.link("absolute", world.at("d/a").to_str().unwrap());
    world.link("out", "../outside");
    world.link("d/up", "../../outside");
    world.link("twice", "out");
    world.link("directory", "../falcon-2");
    let model = world.open(true);
    let listing = model.walk(&Ignored::none()).unwrap();
    let mut outside = listing.leading_outside.clone();
    outside.sort_unstable();
    assert_eq!(outside, ["d/up", "directory", "out", "twice"]);
    let found = model.find(listing.files.iter().map(|file| &file.name));
    let mut outside = found.unwrap().leading_outside;
    outside.sort_unstable();
    assert_eq!(outside, ["d/up", "out", "twice"]);
}

#[test]
fn pointer_files_of_git_lfs_are_found_by_their_content() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n";
    let long = format!("{pointer}{}", "x".repeat(1024));
    let world = World::new(&[
        ("model.bin", pointer),
        ("sub/other", pointer),
        (
            "README.md",
            "version https://git-lfs.github.com/spec/v2\noid",
        ),
        ("about.txt", long.as_str()),
        ("empty", ""),
    ]);
    let model = world.open(false);
    let listing = model.walk(&Ignored::none()).unwrap();
    let pointers = listing.lfs_pointers(&model).unwrap();
    assert_eq!(pointers, ["model.bin", "sub/other"]);
    let file = Model::open(&world.at("model.bin"), false).unwrap();
    let listing = file.walk(&Ignored::none()).unwrap();
    assert_eq!(listing.lfs_pointers(&file).unwrap(), ["model.bin"]);
}

#[cfg(unix)]
#[test]
fn a_directory_that_becomes_a_symlink_after_the_walk_is_not_followed() {
    for links in [false, true] {
        let world = World::new(&[("d/f", "x"), ("e/f", "x")]);
        let model = world.open(links);
        let listing = model.walk(&Ignored::none()).unwrap();
        fs::rename(world.at("d"), world.0.path().join("moved")).unwrap();
        world.link("d", "e");
        assert!(hash(&model, &listing, SHA256, &|_| ()).is_err());
        // Nor when the names come from a signature.
        let names = listing.files.iter().map(|file| &file.name);
        let found = model.find(names);
        assert!(matches!(&found, Err(WalkError::Symlink { path }) if *path == world.at("d")));
    }
}

#[test]
fn every_method_gives_the_digests_of_the_same_bytes() {
    let world = World::new(&[("empty", ""), ("d/small", "12345")]);
    world.write("large", &"0123456789".repeat(500_000));
    let model = world.open(false);
    let listing = model.walk(&Ignored::none()).unwrap();
    for algorithm in Algorithm::ALL {
        let manifest = hash(&model, &listing, Method::files(algorithm), &|_| ()).unwrap();
        for resource in manifest.resources() {
            let bytes = fs::read(world.at(&resource.path)).unwrap();
            assert_eq!(resource.digest, algorithm.digest(&bytes));
        }
        assert_eq!(manifest.resources().len(), 3);
        let method = Method::shards(algorithm, NonZeroU64::new(1_000_003).unwrap()).unwrap();
        let manifest = hash(&model, &listing, method, &|_| ()).unwrap();
        let names: Vec<_> = manifest
            .resources()
            .iter()
            .map(|r| r.name().to_string())
            .collect();
        assert_eq!(names[..2], ["d/small:0:5", "large:0:1000003"]);
        assert_eq!(names.len(), 6);
        for resource in manifest.resources() {
            let bytes = fs::read(world.at(&resource.path)).unwrap();
            let shard = resource.shard.unwrap();
            let part = usize::try_from(shard.start).unwrap()..usize::try_from(shard.end).unwrap();
            assert_eq!(resource.digest, algorithm.digest(&bytes[part]));
        }
    }
}

#[test]
fn what_was_signed_verifies_and_nothing_else_does() {
    let world = World::new(&[("a", "1"), ("d/b", "2")]);
    let signed = world.signed(&[]);
    assert_eq!(world.verify(&signed, false), Ok(()));
    assert_eq!(world.verify(&signed, true), Ok(()));

    world.write("extra", "");
    let said = world.verify(&signed, false).unwrap_err();
    assert_eq!(
        said,
        "the model is not what was signed: not signed: \"extra\""
    );
    assert_eq!(world.verify(&signed, true), Ok(()));

    world.write("a", "x");
    fs::remove_file(world.at("d/b")).unwrap();
    for ignore_unsigned in [false, true] {
        let said = world.verify(&signed, ignore_unsigned).unwrap_err();
        assert!(
            said.contains("missing: \"d/b\"") && said.contains("changed: \"a\""),
            "{said}"
        );
    }
    // A file where a directory was, and a directory where a file was.
    fs::remove_dir(world.at("d")).unwrap();
    world.write("d", "");
    fs::remove_file(world.at("a")).unwrap();
    world.write("a/x", "");
    let said = world.verify(&signed, true).unwrap_err();
    assert!(said.ends_with("missing: \"a\", \"d/b\""), "{said}");
}

#[test]
fn a_signature_that_fits_every_model_is_refused() {
    let world = World::new(&[("a", "1")]);
    let everything = world.signed(&["."]);
    for ignore_unsigned in [false, true] {
        let said = world.verify(&everything, ignore_unsigned).unwrap_err();
        assert!(said.contains("leaves out everything"), "{said}");
    }
    // One of no file at all there is not.
    let empty = Manifest::new(SHA256, Vec::new()).unwrap();
    let unsigned = Statement::new("falcon", empty, false, Vec::new());
    assert_eq!(unsigned, Err(NotSignable::NoResources));
}

#[test]
fn a_single_file_is_verified_by_either_of_its_names() {
    let world = World::new(&[("weights", "x"), ("other", "x")]);
    let open = |name: &str| Model::open(&world.at(name), false).unwrap();
    let signed_as = |name: &str| {
        let resource = Resource {
            path: name.into(),
            shard: None,
            digest: Algorithm::Sha256.digest(b"x"),
        };
        let manifest = Manifest::new(SHA256, vec![resource]).unwrap();
        Statement::new("weights", manifest, false, Vec::new()).unwrap()
    };
    for (name, file, is) in [
        ("weights", "weights", true),
        // The reference has no name for it.
        (".", "weights", true),
        (".", "other", true),
        ("weights", "other", false),
        ("other", "weights", false),
    ] {
        for ignore_unsigned in [false, true] {
            let options = Options {
                ignored: Ignored::none(),
                ignore_unsigned,
            };
            let verified = verify(&open(file), &signed_as(name), &options, &|_| ());
            assert_eq!(verified.is_ok(), is, "{name} {file}: {verified:?}");
        }
    }
    assert!(world.verify(&signed_as("."), false).is_err());
    assert!(world.verify(&signed_as("."), true).is_err());
}

#[test]
fn what_the_signer_left_out_is_left_out_and_a_signed_file_never_is() {
    let world = World::new(&[("a", "1")]);
    let signed = world.signed(&["a", "cache"]);
    world.write("cache/x", "");
    let said = world.verify(&signed, false).unwrap_err();
    assert!(said.ends_with("missing: \"a\""), "{said}");
    assert_eq!(world.verify(&signed, true).unwrap_err(), said);
}

#[test]
fn several_methods_read_each_file_once_and_give_what_each_gives_alone() {
    let world = World::new(&[
        ("config.json", "{}"),
        ("empty", ""),
        ("a/ten", "0123456789"),
    ]);
    // Larger than a block, so that a shard begins in one block and ends in another.
    let large: Vec<u8> = (0..5_300_000_u32)
        .map(|n| u8::try_from(n % 251).unwrap())
        .collect();
    fs::write(world.at("large.bin"), &large).unwrap();
    let model = world.open(false);
    let listing = model.walk(&Ignored::none()).unwrap();
    let shards =
        |algorithm, bytes| Method::shards(algorithm, NonZeroU64::new(bytes).unwrap()).unwrap();
    let mut methods = Vec::new();
    for algorithm in Algorithm::ALL {
        methods.push(Method::files(algorithm));
        for bytes in [1 << 20, 700_001, 5_300_000, 1_000, 1_000_000_000] {
            if bytes > 1_000 || algorithm == Algorithm::Sha256 {
                methods.push(shards(algorithm, bytes));
            }
        }
    }
    let read = Mutex::new(0);
    let progress = |bytes: u64| *read.lock().unwrap() += bytes;
    let all = hash_by_each(&model, &listing, &methods, &progress).unwrap();
    assert_eq!(*read.lock().unwrap(), large.len() as u64 + 12);
    assert_eq!(all.len(), methods.len());
    for (method, manifest) in methods.into_iter().zip(all) {
        let alone = hash(&model, &listing, method, &|_| ()).unwrap();
        assert_eq!(manifest.resources(), alone.resources(), "{method}");
        assert_eq!(manifest.root(), alone.root(), "{method}");
    }
    fs::remove_file(world.at("a/ten")).unwrap();
    assert!(matches!(
        hash_by_each(&model, &listing, &[SHA256], &|_| ()),
        Err(WalkError::Unreadable { .. } | WalkError::Changed { .. })
    ));
}
