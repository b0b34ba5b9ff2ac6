#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use super::*;
use crate::testing::{Signer, leaf};
use alloc::format;
use alloc::string::ToString as _;

const NAME: &str = "log.example";

fn open(text: &str) -> Result<Checkpoint, CheckpointError> {
    let log = Signer::new(NAME, 1);
    let note = format!("{text}\n{}", log.sign(text));
    Checkpoint::open(note.as_bytes(), &Origin::new(NAME).unwrap(), &[log.log()])
}

#[test]
fn what_was_signed_is_what_is_read() {
    let root = leaf(1);
    let checkpoint = open(&format!(
        "{NAME}\n20852163\n{}\nLog frozen — Sat Nov 21\nx\n",
        root.to_base64()
    ))
    .unwrap();
    assert_eq!((checkpoint.size(), checkpoint.root()), (20_852_163, root));
    assert_eq!(checkpoint.extensions(), ["Log frozen — Sat Nov 21", "x"]);
    assert_eq!(checkpoint.origin().to_string(), NAME);
    assert!(checkpoint.cosignatures().is_empty());
    let again = Checkpoint::open(
        checkpoint.raw(),
        checkpoint.origin(),
        &[Signer::new(NAME, 1).log()],
    );
    assert_eq!(again, Ok(checkpoint));
}

#[test]
fn a_size_has_one_spelling() {
    let root = leaf(1).to_base64();
    for good in ["1", "10", "9223372036854775807"] {
        assert_eq!(
            open(&format!("{NAME}\n{good}\n{root}\n"))
                .unwrap()
                .size()
                .to_string(),
            good
        );
    }
    for bad in [
        "",
        "01",
        "00",
        "+1",
        "-1",
        " 1",
        "1 ",
        "1_0",
        "0x1",
        "1.0",
        "1e3",
        "١",
        "9223372036854775808",
        "18446744073709551616",
    ] {
        let error = open(&format!("{NAME}\n{bad}\n{root}\n")).unwrap_err();
        assert_eq!(error, CheckpointError::Size(bad.to_string()));
    }
}

#[test]
fn a_root_has_one_spelling() {
    let root = Hash::new([0; 32]).to_base64();
    for bad in [
        "",
        &root[..43],
        &root.replace('=', ""),
        &root.replace("A=", "B="),
        &(root.clone() + "="),
        "AAAA",
        &leaf(1).to_hex(),
    ] {
        let error = open(&format!("{NAME}\n1\n{bad}\n")).unwrap_err();
        assert!(matches!(error, CheckpointError::Root(_)), "{bad}: {error}");
    }
}

#[test]
fn an_empty_tree_has_the_empty_root() {
    assert_eq!(
        open(&format!("{NAME}\n0\n{}\n", empty_root().to_base64()))
            .unwrap()
            .size(),
        0
    );
    let error = open(&format!("{NAME}\n0\n{}\n", leaf(1).to_base64())).unwrap_err();
    assert_eq!(error, CheckpointError::EmptyTreeRoot(leaf(1)));
}

#[test]
fn another_log_and_missing_or_empty_lines_are_named() {
    let root = leaf(1).to_base64();
    let error = open(&format!("{NAME}/\u{202e}\n1\n{root}\n")).unwrap_err();
    let expected = Origin::new(NAME).unwrap();
    assert_eq!(
        error,
        CheckpointError::WrongOrigin {
            expected,
            found: "log.example/\\u{202e}".into()
        }
    );
    assert_eq!(
        open(&format!("{NAME}\n")),
        Err(CheckpointError::MissingLine(1))
    );
    assert_eq!(
        open(&format!("{NAME}\n1\n")),
        Err(CheckpointError::MissingLine(2))
    );
    assert_eq!(
        open(&format!("{NAME}\n1\n{root}\nx\n\n")),
        Err(CheckpointError::EmptyExtension(5))
    );
    assert_eq!(
        open(&format!("{NAME}\n1\n{root}\n\nx\n")),
        Err(CheckpointError::EmptyExtension(4))
    );
}

#[test]
fn the_key_s_name_may_differ_from_the_origin() {
    let log = Signer::new(NAME, 1);
    let text = format!("{NAME} - 1193050959916656506\n1\n{}\n", leaf(1).to_base64());
    let note = format!("{text}\n{}", log.sign(&text));
    let origin = Origin::new("log.example - 1193050959916656506").unwrap();
    assert!(Checkpoint::open(note.as_bytes(), &origin, &[log.log()]).is_ok());
}

#[test]
fn cosignatures_come_with_the_checkpoint() {
    let (log, witness) = (Signer::new(NAME, 1), Signer::new("witness.example", 2));
    let text = format!("{NAME}\n1\n{}\n", leaf(1).to_base64());
    let note = format!(
        "{text}\n{}{}",
        witness.cosign(1_679_315_147, &text),
        log.sign(&text)
    );
    let keys = [log.log(), witness.witness()];
    let checkpoint = Checkpoint::open(note.as_bytes(), &Origin::new(NAME).unwrap(), &keys).unwrap();
    assert_eq!(checkpoint.cosignatures()[0].time, 1_679_315_147);
}

#[test]
fn an_origin_is_one_line() {
    for bad in ["", "a\nb", "a\0"] {
        assert!(Origin::new(bad).is_err());
    }
    assert_eq!(
        Origin::new("rekor.sigstore.dev - 1193050959916656506")
            .unwrap()
            .as_str(),
        "rekor.sigstore.dev - 1193050959916656506"
    );
}
