//! Rows about `reconcile`: many bundles, compared with what is stored.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rcgen::SanType;
use rcgen::string::Ia5String;

use super::fake::authority::Leaf;
use super::fake::{ISSUER, Signing, Sigstore, payload};
use super::linux::Bench;
use super::program::{run, with_findings};

/// Bundles of one `reconcile`.
const BUNDLES: u64 = 10_000;

/// A name that the first watch of [`with_findings`] selects.
const SIGNER: &str = "release-0@models-0.example";

/// Bundles are compared with the signings of this time, in which the stored ones do not lie.
const LATER: [&str; 2] = ["--since", "2026-01-01"];

/// A row's figure, or why there is none.
type Figure = io::Result<f64>;

/// CPU seconds of copies of one bundle: each of its signatures is verified once, so this is all the rest.
pub(super) fn copies(bench: &Bench, findings: u64) -> Figure {
    of_copies(bench, findings, &LATER)
}

/// CPU seconds where each stored signing is answered, because none of the bundles is of it.
pub(super) fn copies_all(bench: &Bench, findings: u64) -> Figure {
    of_copies(bench, findings, &[])
}

/// CPU seconds of bundles that each have a certificate of their own: half of them in Rekor v1, half in v2.
pub(super) fn distinct(bench: &Bench, findings: u64) -> Figure {
    let place = with_findings(bench, findings)?;
    let made = make_distinct(bench)?;
    let path = place.join("modelwatch.toml");
    let text = fs::read_to_string(&path)?;
    let root = |path: PathBuf| format!("{:?}", path.to_string_lossy());
    let text = text.replace(
        &root(bench.data.join("trust/harbor.json")),
        &root(made.join("trusted_root.json")),
    );
    fs::write(&path, text)?;
    let bundles = made.join("bundles");
    // None of the logs is followed: each bundle is verified and looked up in the store, and no log is asked for its entry.
    reconciled(bench, &place, &bundles, &LATER, 3)
}

fn of_copies(bench: &Bench, findings: u64, more: &[&str]) -> Figure {
    let place = with_findings(bench, findings)?;
    let bundle = fs::read(bench.data.join("../../src/cli/demo/falcon-7b.model.sig"))?;
    let kept = place.join("bundles");
    fs::create_dir_all(&kept)?;
    for n in 0..BUNDLES {
        fs::write(kept.join(format!("{n}.sig")), &bundle)?;
    }
    reconciled(bench, &place, &kept, more, 1)
}

fn reconciled(bench: &Bench, place: &Path, bundles: &Path, more: &[&str], code: i32) -> Figure {
    let bundles = bundles.to_string_lossy();
    let arguments = ["reconcile", "--json", "--no-models", &bundles];
    let run = run(bench, place, &[&arguments[..], more].concat(), &[code])?;
    Ok(run.cpu.as_secs_f64())
}

/// Bundles with keys, certificates, signatures and log entries of their own, and the trusted root of all; made once and kept.
fn make_distinct(bench: &Bench) -> io::Result<PathBuf> {
    let place = bench.directory.join(format!("distinct-{BUNDLES}"));
    if place.exists() {
        return Ok(place);
    }
    let half = bench.directory.join("half-made-bundles");
    if half.exists() {
        fs::remove_dir_all(&half)?;
    }
    fs::create_dir_all(half.join("bundles"))?;
    let sigstore = Sigstore::new();
    fs::write(
        half.join("trusted_root.json"),
        sigstore.trusted_root().to_string(),
    )?;
    for n in 0..BUNDLES {
        let signing = Signing {
            leaf: leaf()?,
            ..if n % 2 == 0 {
                Signing::v1()
            } else {
                Signing::v2()
            }
        };
        let bundle = sigstore.sign(&payload(), &signing);
        let path = half.join("bundles").join(format!("{n}.sig"));
        fs::write(path, bundle.to_string())?;
    }
    // Renamed last, so that a directory of this name is whole.
    fs::rename(&half, &place)?;
    Ok(place)
}

/// A certificate with as many extensions as Fulcio gives to a workflow.
fn leaf() -> io::Result<Leaf> {
    let name = Ia5String::try_from(SIGNER).map_err(io::Error::other)?;
    let text = |number| (number, format!("{ISSUER}/owner/model/{number}"));
    Ok(Leaf {
        names: vec![SanType::Rfc822Name(name)],
        extensions: (9..=22).map(text).collect(),
        ..Leaf::default()
    })
}
