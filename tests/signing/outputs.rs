//! Where signatures and reports are written, and what remains if that fails.

use std::fs::{self, File};
use std::io::Read as _;
use std::process::{Command, Stdio};

use crate::site::Site;

const SIGN: &str = "sign key model --private-key keys/p256.key --signature model.sig";
const VERIFY: &str = "verify key model --public-key keys/p256.pub --signature model.sig";

fn site() -> Site {
    let site = Site::new();
    site.write("model/weights.bin", "0.1 0.2");
    site
}

/// The names of files that look like a signature, complete or not.
fn signatures(site: &Site) -> Vec<String> {
    let names = fs::read_dir(site.root()).unwrap();
    let mut names: Vec<_> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("model.sig"))
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn a_signature_that_cannot_be_written_whole_leaves_the_old_one_and_nothing_else() {
    let site = site();
    site.write("model.sig", "old");
    // Like a full disk: files of more than one block are refused.
    let reported = site.shell(&format!("trap '' XFSZ; ulimit -f 1; $P {SIGN}"));
    assert_eq!(reported.code, 1, "{reported:?}");
    assert!(
        reported.stderr.contains(r#""model.sig" cannot be written"#),
        "{reported:?}"
    );
    assert_eq!(fs::read_to_string(site.at("model.sig")).unwrap(), "old");
    assert_eq!(signatures(&site), ["model.sig"]);
}

#[test]
fn a_place_where_no_signature_can_be_is_reported_before_the_model_is_hashed() {
    let site = site();
    // Hours of work, if it were.
    let large = File::create(site.at("model/large.bin")).unwrap();
    large.set_len(1 << 42).unwrap();
    for (place, expected) in [
        (
            "no/such/model.sig",
            r#""no/such/model.sig" cannot be written"#,
        ),
        ("keys", r#""keys" is a directory"#),
        ("/dev/null", r#""/dev/null" is a device"#),
        ("model", "--signature model is the model itself"),
    ] {
        let reported = site.run(&SIGN.replace("model.sig", place));
        assert_eq!(reported.code, 1, "{reported:?}");
        assert!(reported.stderr.contains(expected), "{place}: {reported:?}");
    }
}

#[test]
fn a_signature_goes_to_standard_output_and_comes_from_standard_input() {
    let site = site();
    for place in ["-", "/dev/stdout"] {
        let sign = SIGN.replace("model.sig", place);
        let said = site.run(&sign);
        assert_eq!(
            (said.code, said.stderr.as_str()),
            (0, "Signing succeeded\n")
        );
        assert!(said.stdout.starts_with("{\"mediaType\":"), "{said:?}");
        site.write("piped.sig", &said.stdout);
        for place in ["-", "/dev/stdin"] {
            let verify = VERIFY.replace("model.sig", place);
            let said = site.shell(&format!("$P {verify} < piped.sig"));
            assert_eq!(said.stdout, "Verification succeeded\n", "{said:?}");
            let said = site.shell(&format!("$P {sign} | $P {verify}"));
            assert_eq!(said.code, 0, "{said:?}");
        }
        // The shell has made the file in the model before anything is signed.
        let said = site.shell(&format!("$P {sign} > model/model.sig"));
        assert_eq!(said.code, 0, "{said:?}");
        let inside = VERIFY.replace("model.sig", "model/model.sig");
        assert_eq!(site.run(&inside).code, 0);
        let said = site.shell(&format!(
            "$P {} < model/model.sig",
            VERIFY.replace("model.sig", "-")
        ));
        assert_eq!(said.code, 0, "{said:?}");
        fs::remove_file(site.at("model/model.sig")).unwrap();

        assert_eq!(site.run(&format!("{sign} --json")).code, 2);
        let said = site.run(&sign.replace("p256.key", "rsa.key"));
        assert_eq!((said.code, said.stdout.as_str()), (1, ""));
    }
    assert_eq!(signatures(&site), Vec::<String>::new());
    let said = site.shell(&format!(
        "$P {} > /dev/full",
        SIGN.replace("model.sig", "-")
    ));
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.stderr.contains("standard output cannot be written"),
        "{said:?}"
    );
}

#[test]
fn what_an_earlier_version_left_in_the_model_is_named_with_the_command_that_removes_it() {
    let site = site();
    let inside = |line: &str| line.replace("model.sig", "model/model.sig");
    assert_eq!(site.run(&inside(SIGN)).code, 0);
    site.write("model/sub/.it's.sig.AbC123", "");
    site.write("model/.model.sig.000000", "");
    for line in [inside(SIGN), inside(VERIFY), SIGN.to_owned()] {
        let said = site.run(&line);
        assert_eq!(said.code, 1, "{line}: {said:?}");
        let command = r"rm -- 'model/.model.sig.000000' 'model/sub/.it'\''s.sig.AbC123'";
        assert!(said.stderr.contains(command), "{said:?}");
    }
    let said = site.run(&inside(VERIFY));
    let (_, command) = said.stderr.trim_end().split_once("remove it: ").unwrap();
    assert_eq!(site.shell(command).code, 0);
    assert_eq!(site.run(&inside(VERIFY)).code, 0);
    // A file that is meant can be left out.
    site.write("model/.model.sig.000000", "");
    let ignored = format!("{SIGN} --ignore-paths model/.model.sig.000000");
    assert_eq!(site.run(&ignored).code, 0);
    assert_eq!(site.run(VERIFY).code, 0);
}

#[test]
fn parallel_signers_never_list_a_temporary_file() {
    let site = site();
    for _ in 0..10 {
        let signer = |own: &str, other: &str| {
            format!(
                "$P {} --ignore-paths model/{other} & ",
                SIGN.replace("model.sig", &format!("model/{own}"))
            )
        };
        let line = format!(
            "{}{}wait; $P {} --ignore-paths model/b.sig && $P {} --ignore-paths model/a.sig",
            signer("a.sig", "b.sig"),
            signer("b.sig", "a.sig"),
            VERIFY.replace("model.sig", "model/a.sig"),
            VERIFY.replace("model.sig", "model/b.sig"),
        );
        let said = site.shell(&line);
        assert_eq!(said.code, 0, "{said:?}");
    }
}

#[test]
fn what_is_read_to_sign_is_not_replaced_by_the_signature() {
    let site = site();
    fs::hard_link(site.at("keys/p256.key"), site.at("other.key")).unwrap();
    site.write("password", "hunter2");
    let certified = "sign certificate model --private-key keys/leaf256.key --signing-certificate keys/leaf256.pem \
                     --certificate-chain keys/root.pem --certificate-chain keys/int.pem --signature model.sig";
    let encrypted = "sign key model --private-key keys/p256-enc.key --password-file password --signature model.sig";
    for (line, place) in [
        (SIGN, "keys/p256.key"),
        (SIGN, "keys/../other.key"),
        (encrypted, "password"),
        (certified, "keys/leaf256.key"),
        (certified, "keys/leaf256.pem"),
        (certified, "keys/int.pem"),
    ] {
        assert_eq!(site.run(line).code, 0, "{line}");
        let before = fs::read(site.at(place)).unwrap();
        let reported = site.run(&line.replace("model.sig", place));
        assert!(
            reported.stderr.contains("would replace what is read"),
            "{reported:?}"
        );
        assert_eq!(fs::read(site.at(place)).unwrap(), before, "{line}");
    }
}

#[test]
fn a_reader_that_has_gone_changes_no_verdict() {
    let site = site();
    let run = |line: &str| {
        let child = site
            .command()
            .args(line.split_whitespace())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.unwrap();
        drop(child.stdout.take());
        let mut reported = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut reported)
            .unwrap();
        (child.wait().unwrap().code(), reported)
    };
    for options in ["", " --json"] {
        for line in [SIGN, VERIFY, "digest model"] {
            let (code, reported) = run(&format!("{line}{options}"));
            assert_eq!(code, Some(0));
            let written = if line == SIGN {
                "The signature is in model.sig\n"
            } else {
                ""
            };
            assert_eq!(reported, written);
        }
    }
    site.write("model/more", "");
    for options in ["", " --json"] {
        let (code, reported) = run(&format!("{VERIFY}{options}"));
        assert_eq!(code, Some(1));
        assert!(reported.contains("not signed: \"more\""), "{reported}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_cannot_be_written_is_an_error() {
    let site = site();
    for (line, expected) in [
        (
            SIGN,
            "Signing failed with error: model.sig was written: standard output",
        ),
        (
            VERIFY,
            "Verification failed with error: standard output cannot be written",
        ),
        (
            "digest model",
            "Computing digest failed: standard output cannot be written",
        ),
    ] {
        let reported = site.shell(&format!("$P {line} > /dev/full"));
        assert_eq!(reported.code, 1, "{reported:?}");
        assert!(reported.stderr.contains(expected), "{reported:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_signing_leaves_nothing() {
    use std::os::unix::process::ExitStatusExt as _;

    let site = site();
    let large = site.at("model/large.bin");
    File::create(&large).unwrap().set_len(1 << 42).unwrap();
    // The signals have their default actions, whatever the tests were started with (`nohup` ignores some). A program
    // that ignores them is ended after a minute of processor time.
    let line = format!("ulimit -t 60; exec env --default-signal=INT,TERM \"$P\" {SIGN}");
    for (name, signal) in [("INT", 2), ("TERM", 15)] {
        let child = site.sh(&line).spawn();
        let mut child = child.unwrap();
        let open = format!("/proc/{}/fd", child.id());
        // Until it is at work.
        while !fs::read_dir(&open)
            .unwrap()
            .any(|entry| fs::read_link(entry.unwrap().path()).is_ok_and(|path| path == large))
        {
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
            std::thread::yield_now();
        }
        let kill = format!("kill -{name} {}", child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(child.wait().unwrap().signal(), Some(signal));
        assert!(signatures(&site).is_empty(), "{:?}", signatures(&site));
    }
}
