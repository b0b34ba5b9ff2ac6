//! Vectors and notes that others made: the proofs of transparency-dev, and checkpoints of Rekor logs.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tlog::{
    Checkpoint, CheckpointError, CompactRange, Hash, KeyName, NoteError, Origin, Verifier,
    verify_consistency, verify_inclusion,
};

/// Keys as the trusted roots of the logs give them: SubjectPublicKeyInfo in base64.
const HARBOR_2025: &str = "MCowBQYDK2VwAyEA12hOol5QbGTWU+WJLO0NfHbXrc95PfvWwDsTZlW4vhA=";
const HARBOR_2026: &str = "MCowBQYDK2VwAyEAM8+kdc/KSwtVyu5CgyiQdpBFUzTO/7CQaEssEQMycqY=";
const STAGING_ALPHA1: &str = "MCowBQYDK2VwAyEAPn+AREHoBaZ7wgS1zBqpxmLSGnyhxXj4lFxSdWVB8o8=";
const STAGING_ALPHA3: &str = "MCowBQYDK2VwAyEAlD3dVc8yaP25mPtT/sJ59D3LLxGBgW/qYrM6x6KmOqk=";
const REKOR_V1: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE2G2Y+2tabdTV5BcGiBIx0a9fAFwrkBbmLSGtks4L3qX6yYY0zufBnhC8Ur/iy55GhWP/9A/bY2LhC30M9+RYtw==";
const LOCALHOST_V1: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYI4heOTrNrZO27elFE8ynfrdPMikttRkbe+vJKQ50G6bfwQ3WyhLpRwwwohelDAm8xRzJ56nYsIa3VHivVvpmA==";

fn key(name: &str, spki: &str) -> Verifier {
    Verifier::from_spki_der(KeyName::new(name).unwrap(), &STANDARD.decode(spki).unwrap()).unwrap()
}

fn open(note: &str, origin: &str, key: Verifier) -> Result<Checkpoint, CheckpointError> {
    let path = format!("{}/tests/data/notes/{note}", env!("CARGO_MANIFEST_DIR"));
    Checkpoint::open(
        &std::fs::read(path).unwrap(),
        &Origin::new(origin).unwrap(),
        &[key],
    )
}

fn open_harbor(note: &str) -> Result<Checkpoint, CheckpointError> {
    open(
        note,
        "log2026-1.harbor.example",
        key("log2026-1.harbor.example", HARBOR_2026),
    )
}

#[test]
fn proofs_of_transparency_dev_are_judged_as_published() {
    let (mut good, mut bad) = (0, 0);
    for line in include_str!("data/transparency-dev-merkle.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        let fields: Vec<&str> = line.split(' ').collect();
        let [kind, verdict, first, size, one, two, proof] = fields[..] else {
            panic!("{line}")
        };
        // Some of the wrong ones are not hashes; the types of this crate cannot express them.
        let holds = || {
            let hashes = proof
                .split(',')
                .filter(|_| proof != "-")
                .map(Hash::from_base64);
            let proof: Vec<Hash> = hashes.collect::<Result<_, _>>().ok()?;
            let (first, size) = (first.parse().ok()?, size.parse().ok()?);
            let (one, two) = (Hash::from_base64(one).ok()?, Hash::from_base64(two).ok()?);
            match kind {
                "inclusion" => verify_inclusion(&one, first, size, &proof, &two),
                "consistency" => verify_consistency(first, &one, size, &two, &proof),
                _ => panic!("{line}"),
            }
            .ok()
        };
        assert_eq!(holds().is_some(), verdict == "good", "{line}");
        *(if verdict == "good" {
            &mut good
        } else {
            &mut bad
        }) += 1;
    }
    assert!(good > 10 && bad > 150, "{good} {bad}");
}

#[test]
fn proofs_that_a_rekor_v1_server_gave_hold() {
    let (mut included, mut consistent) = (0, 0);
    let lines = include_str!("data/rekor-v1-proofs.txt").lines();
    for line in lines.filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split(' ').collect();
        let [kind, first, size, one, two, proof] = fields[..] else {
            panic!("{line}")
        };
        let hashes = proof.split(',').filter(|_| proof != "-");
        let proof: Vec<Hash> = hashes.map(|hash| Hash::from_hex(hash).unwrap()).collect();
        let (first, size) = (first.parse().unwrap(), size.parse().unwrap());
        let (one, two) = (Hash::from_hex(one).unwrap(), Hash::from_hex(two).unwrap());
        if kind == "inclusion" {
            verify_inclusion(&one, first, size, &proof, &two).expect(line);
            let frontier = CompactRange::from_last_leaf(first, &one, size, &proof).unwrap();
            assert_eq!(frontier.size(), first + 1);
            // The last leaf of a tree: its frontier is the whole tree's.
            assert!(frontier.size() != size || frontier.root() == two);
            included += 1;
        } else {
            verify_consistency(first, &one, size, &two, &proof).expect(line);
            consistent += 1;
        }
    }
    assert!(included > 20 && consistent > 10, "{included} {consistent}");
}

#[test]
fn checkpoints_of_real_logs_open() {
    for (note, origin, key, size, extensions) in [
        (
            "rekor-v1",
            "rekor.sigstore.dev - 1193050959916656506",
            key("rekor.sigstore.dev", REKOR_V1),
            476_246_825,
            0,
        ),
        (
            "rekor-v1-old-timestamp-line",
            "localhost:8000 - 124190645164477",
            key("localhost:8000", LOCALHOST_V1),
            1,
            1,
        ),
        (
            "rekor-v2-staging",
            "log2025-alpha1.rekor.sigstage.dev",
            key("log2025-alpha1.rekor.sigstage.dev", STAGING_ALPHA1),
            736,
            0,
        ),
        (
            "rekor-v2-staging-witnessed",
            "log2025-alpha3.rekor.sigstage.dev",
            key("log2025-alpha3.rekor.sigstage.dev", STAGING_ALPHA3),
            4_026_479,
            0,
        ),
        (
            "rekor-v2-frozen",
            "log2025-1.harbor.example",
            key("log2025-1.harbor.example", HARBOR_2025),
            1100,
            1,
        ),
    ] {
        let checkpoint = open(note, origin, key).unwrap();
        assert_eq!(
            (checkpoint.size(), checkpoint.extensions().len()),
            (size, extensions),
            "{note}"
        );
    }
    assert_eq!(
        open_harbor("rekor-v2-extension-lines")
            .unwrap()
            .extensions(),
        ["some extension", "another 1 2 3"]
    );
    assert_eq!(
        open_harbor("rekor-v2-thirteen-unknown-witnesses")
            .unwrap()
            .size(),
        2400
    );
    assert_eq!(
        open_harbor("size-2400-with-another-root").unwrap().size(),
        2400
    );
}

#[test]
fn ids_of_real_keys_are_those_in_their_signatures() {
    assert_eq!(
        key("rekor.sigstore.dev", REKOR_V1).id().to_string(),
        "c0d23d6a"
    );
    let production = "MCowBQYDK2VwAyEAt8rlp1knGwjfbcXAYPYAkn0XiLz1x8O4t0YkEhie244=";
    assert_eq!(
        key("log2025-1.rekor.sigstore.dev", production)
            .id()
            .to_string(),
        "cf119915"
    );
}

#[test]
fn the_error_for_a_refused_checkpoint_names_the_broken_rule() {
    use CheckpointError as E;
    type Rule = fn(&E) -> bool;
    let rules: [(&str, Rule); 10] = [
        ("signed-by-another-key", |e| {
            matches!(e, E::Note(NoteError::NotSigned(_)))
        }),
        ("origin-of-another-log", |e| {
            matches!(e, E::Note(NoteError::NotSigned(_)))
        }),
        ("signature-over-another-text", |e| {
            matches!(e, E::Note(NoteError::BadSignature { .. }))
        }),
        ("no-signature", |e| {
            matches!(e, E::Note(NoteError::NoSeparator | NoteError::NoSignatures))
        }),
        ("empty", |e| matches!(e, E::Note(NoteError::NoSeparator))),
        ("html", |e| matches!(e, E::Note(_))),
        ("size-with-leading-zero", |e| matches!(e, E::Size(_))),
        ("size-negative", |e| matches!(e, E::Size(_))),
        ("size-beyond-2-to-63", |e| matches!(e, E::Size(_))),
        ("root-of-31-bytes", |e| matches!(e, E::Root(_))),
    ];
    for (note, rule) in rules {
        let error = open_harbor(note).unwrap_err();
        assert!(rule(&error), "{note}: {error}");
    }
    // The same key with the other origin: the signature is valid, but the log is not the expected one.
    let other = key("other.log2026-1.harbor.example", HARBOR_2026);
    let error = open("origin-of-another-log", "log2026-1.harbor.example", other).unwrap_err();
    assert!(matches!(error, E::WrongOrigin { .. }), "{error}");
}
