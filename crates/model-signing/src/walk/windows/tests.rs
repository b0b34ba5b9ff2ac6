//! Models on Windows. Whoever runs these may not have the right to make symlinks, so junctions and symlinks are tried from
//! outside, by `tests/artefacts foreign`.
#![expect(
    clippy::unwrap_used,
    reason = "a temporary directory that cannot be written is a failed test"
)]

use std::os::windows::ffi::OsStringExt as _;
use std::result::Result;
use std::sync::Arc;

use super::*;
use crate::hash::Algorithm;
use crate::manifest::{Manifest, Method};
use crate::model::hash;
use crate::walk::{Ignored, Listing, Model, WalkError};

const SHA256: Method = Method::files(Algorithm::Sha256);

/// A directory with a model in it.
struct World(tempfile::TempDir);

impl World {
    fn new(files: &[(&str, &str)]) -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        fs::create_dir(world.model()).unwrap();
        for (name, content) in files {
            let path = world.at(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        world
    }

    fn model(&self) -> PathBuf {
        self.0.path().join("falcon")
    }

    /// In the verbatim form.
    fn at(&self, name: &str) -> PathBuf {
        verbatim(&self.model())
            .unwrap()
            .join(relative(name.as_bytes()))
    }

    fn open(&self) -> Model {
        Model::open(&self.model(), false).unwrap()
    }

    fn hashed(&self) -> Result<Manifest, WalkError> {
        let model = self.open();
        hash(&model, &model.walk(&Ignored::none())?, SHA256, &|_| ())
    }

    fn found(&self, names: &[&str]) -> Result<String, WalkError> {
        let names: Vec<Arc<str>> = names.iter().map(|name| (*name).into()).collect();
        self.open().find(&names).map(|listing| joined(&listing))
    }
}

fn joined(listing: &Listing) -> String {
    let mut names: Vec<_> = listing.files.iter().map(|file| &*file.name).collect();
    names.sort_unstable();
    names.join(" ")
}

#[test]
fn the_verbatim_form_of_a_path_leads_to_the_same_place() {
    for (path, expected) in [
        (r"C:\m\f", r"\\?\C:\m\f"),
        (r"C:/m/../n", r"\\?\C:\n"),
        (r"C:\", r"\\?\C:\"),
        (r"\\server\share\m", r"\\?\UNC\server\share\m"),
        (r"\\?\C:\m\a.", r"\\?\C:\m\a."),
    ] {
        assert_eq!(
            verbatim(Path::new(path)).unwrap(),
            Path::new(expected),
            "{path}"
        );
    }
}

#[test]
fn names_that_windows_reads_otherwise_are_those_of_files() {
    let names = ["CON", "NUL.txt", "a", "a.", "a ", "sub/aux/com1", ".hidden"];
    let files: Vec<(&str, &str)> = names.iter().map(|name| (*name, *name)).collect();
    let world = World::new(&files);
    let manifest = world.hashed().unwrap();
    let found: Vec<_> = manifest.paths().map(|path| &**path).collect();
    assert_eq!(found.join(","), ".hidden,CON,NUL.txt,a,a ,a.,sub/aux/com1");
    for resource in manifest.resources() {
        let digest = Algorithm::Sha256.digest(resource.path.as_bytes());
        assert_eq!(resource.digest, digest, "{}", resource.path);
    }
    assert_eq!(world.found(&names).unwrap().len(), names.join(" ").len());
}

#[test]
fn a_path_of_more_than_260_characters_is_read() {
    let name = format!("{}/{}/f", "d".repeat(200), "e".repeat(200));
    let world = World::new(&[(&name, "x")]);
    let manifest = world.hashed().unwrap();
    let paths: Vec<_> = manifest.paths().map(|path| &**path).collect();
    assert_eq!(paths, [name.as_str()]);
    assert_eq!(world.found(&[&name]).unwrap(), name);
}

#[test]
fn a_name_of_a_signature_finds_a_file_only_by_the_same_spelling() {
    let world = World::new(&[("Config.json", "{}"), ("sub/f", "x")]);
    assert_eq!(
        world.found(&["Config.json", "sub/f"]).unwrap(),
        "Config.json sub/f"
    );
    for other in [
        "config.json",
        "Config.json.",
        "Config.json ",
        "Config.json::$DATA",
        "Config.json:stream",
        "SUB/f",
        "sub\\f",
        "sub/f.",
        "sub/CON",
        "NUL",
        "C:",
        "sub/*",
        "sub/\u{1}",
        "no/f",
        "Config.json/f",
        "sub",
    ] {
        assert_eq!(world.found(&[other]).unwrap(), "", "{other:?}");
    }
    // Nor is anything opened by such a name.
    for other in [
        "Config.json:stream",
        "Config.json::$DATA",
        "sub\\f",
        "../falcon/sub/f",
    ] {
        let opened = world.open().open_file(other).map(drop);
        assert!(
            matches!(opened, Err(WalkError::Unreadable { .. })),
            "{other:?}: {opened:?}"
        );
    }
}

#[test]
fn a_name_that_is_no_unicode_is_refused() {
    let world = World::new(&[]);
    let name = OsString::from_wide(&[u16::from(b'a'), 0xd800]);
    // Some file systems have no such names.
    if fs::write(world.model().join(&name), "").is_ok() {
        let refused = world.hashed().unwrap_err();
        assert!(matches!(refused, WalkError::NotUtf8 { .. }), "{refused}");
    }
    let no_text = relative(b"a\xff");
    assert!(no_text.to_string_lossy().contains('\u{fffd}'));
    assert!(matches!(
        world.open().root.stat_of(b"a\xff", false),
        Err(Error::Name)
    ));
}

#[test]
fn while_a_file_is_hashed_no_other_program_changes_it() {
    let content = "a".repeat(3 << 20);
    for algorithm in Algorithm::ALL {
        let world = World::new(&[("d/f", &content)]);
        let model = world.open();
        let listing = model.walk(&Ignored::none()).unwrap();
        let tried = std::sync::atomic::AtomicBool::new(false);
        let progress = |_| {
            tried.store(true, std::sync::atomic::Ordering::Relaxed);
            let path = world.at("d/f");
            let written = OpenOptions::new().write(true).open(&path);
            assert_eq!(written.unwrap_err().raw_os_error(), Some(32));
            assert!(fs::rename(&path, world.at("d/g")).is_err());
            assert!(fs::remove_file(&path).is_err());
            assert!(fs::rename(world.model(), world.0.path().join("moved")).is_err());
        };
        let manifest = hash(&model, &listing, Method::files(algorithm), &progress).unwrap();
        assert!(tried.into_inner());
        let digest = algorithm.digest(content.as_bytes());
        assert_eq!(manifest.resources()[0].digest, digest);
    }
}

#[test]
fn a_file_that_another_program_writes_or_holds_is_refused_with_the_reason() {
    let world = World::new(&[("f", "x")]);
    for (writes, share) in [(true, 7), (false, 0)] {
        let held = OpenOptions::new()
            .read(!writes)
            .write(writes)
            .share_mode(share)
            .open(world.at("f"))
            .unwrap();
        let refused = world.hashed().unwrap_err();
        let WalkError::Unreadable { path, source } = &refused else {
            panic!("{refused:?}")
        };
        assert!(path.ends_with("f"));
        // ERROR_SHARING_VIOLATION
        assert_eq!(source.raw_os_error(), Some(32), "{refused}");
        drop(held);
        assert!(world.hashed().is_ok());
    }
}

#[test]
fn a_file_that_became_another_one_since_it_was_listed_is_refused() {
    let world = World::new(&[("f", "x")]);
    let model = world.open();
    let listing = model.walk(&Ignored::none()).unwrap();
    fs::write(world.at("f"), "longer").unwrap();
    let hashed = hash(&model, &listing, SHA256, &|_| ());
    assert!(
        matches!(hashed, Err(WalkError::Changed { .. })),
        "{hashed:?}"
    );
    fs::remove_file(world.at("f")).unwrap();
    fs::create_dir(world.at("f")).unwrap();
    let hashed = hash(&model, &listing, SHA256, &|_| ());
    assert!(
        matches!(
            hashed,
            Err(WalkError::Unreadable { .. } | WalkError::Special { .. })
        ),
        "{hashed:?}"
    );
}

#[test]
fn what_an_open_file_was_is_compared_with_what_it_is() {
    let world = World::new(&[("f", "x"), ("g", "x")]);
    let open = |name: &str| {
        OpenOptions::new()
            .read(true)
            .write(true)
            .open(world.at(name))
            .unwrap()
    };
    let (f, g) = (open("f"), open("g"));
    let (before, other) = (Stat::of_opened(&f).unwrap(), Stat::of_opened(&g).unwrap());
    assert!(before.is_same_file(&Stat::of_opened(&open("f")).unwrap()));
    assert!(!before.is_same_file(&other));
    assert_eq!(before.change(&f).unwrap(), Change::None);
    f.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(before.change(&f).unwrap(), Change::Content);
    g.set_len(5).unwrap();
    assert_eq!(other.change(&g).unwrap(), Change::Content);
}

#[test]
fn attributes_say_what_is_there() {
    for (attributes, followed, expected) in [
        (0x20, false, Kind::File),
        (0x2 | 0x4, false, Kind::File),
        (0x10, false, Kind::Directory),
        (0x400, false, Kind::Symlink),
        (0x10 | 0x400, false, Kind::Symlink),
        (0x10 | 0x400, true, Kind::Directory),
        (0x400, true, Kind::File),
        (0x40, false, Kind::Special("a device")),
    ] {
        assert_eq!(kind(attributes, followed), expected, "{attributes:#x}");
    }
}

#[test]
fn a_path_that_is_left_out_is_the_one_that_windows_would_open() {
    let world = World::new(&[("d/f", "x"), ("g", "x")]);
    for (path, expected) in [
        (world.model().join("d"), "d"),
        (world.model().join("d/f"), "d/f"),
        (world.model().join("d/../no/such/file"), "no/such/file"),
        (world.model(), "."),
    ] {
        let mut ignored = Ignored::none();
        let inside = ignored.add(&world.model(), &path).unwrap().unwrap();
        assert_eq!(inside.exists, path.exists(), "{path:?}");
        assert_eq!(ignored.recorded().unwrap(), [expected]);
    }
    let outside = Ignored::none().add(&world.model(), world.0.path());
    assert_eq!(outside.unwrap(), None);
}
