//! Recorded entries, changed: the signer that a program in Go reads is found after every change to the entry.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod change;
mod go;

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};
use tlog::{KeyName, Origin, Verifier};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::scan::scan_here;
use crate::judge::Rules;
use crate::log::{LogId, Protocol, Shard, Start};
use crate::source::Leaves;
use crate::watch::{Conditions, Severity, Watch, Watches};
use change::{Random, change};

const MUTATIONS: usize = 25_000;
const SEED: u64 = 0x6d6f_6465_6c77_6174;

/// Bodies of Rekor v1 and leaves of Rekor v2.
fn recorded() -> Vec<Vec<u8>> {
    let v1 = include_str!("../../../../tests/data/entries/rekor-v1-bodies.jsonl");
    let mut leaves: Vec<Vec<u8>> = v1.lines().map(|line| line.as_bytes().to_vec()).collect();
    let mut bundle = &include_bytes!("../../../../tests/data/v2-small/tile/entries/000")[..];
    while leaves.len() < 200 {
        let (length, rest) = bundle.split_first_chunk::<2>().unwrap();
        let (leaf, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)));
        leaves.push(leaf.to_vec());
        bundle = rest;
    }
    leaves
}

/// The name by which a certificate or a key is watched, as another reader of X.509 reads it.
fn names(der: &[u8]) -> Vec<String> {
    let digest = |bytes: &[u8]| hex::encode(Sha256::digest(bytes));
    let Ok((rest, certificate)) = X509Certificate::from_der(der) else {
        return vec![format!("key {}", digest(der))];
    };
    if !rest.is_empty() {
        return Vec::new();
    }
    let mut names = vec![
        format!("key {}", digest(certificate.public_key().raw)),
        format!("certificate {}", digest(der)),
    ];
    if let Ok(Some(sans)) = certificate.subject_alternative_name() {
        for san in &sans.value.general_names {
            if let GeneralName::URI(text) | GeneralName::RFC822Name(text) = san {
                names.push(format!("san {}", text.to_ascii_lowercase()));
            }
        }
    }
    names
}

/// A watch for each name; its own name is the first digits of the hash of that.
fn watches(names: &BTreeSet<String>) -> Vec<Watch> {
    let digest = |hex: &str| -> [u8; 32] { hex::decode(hex).unwrap().try_into().unwrap() };
    let watch = |name: &String| {
        let mut conditions = Conditions::default();
        match name.split_once(' ').unwrap() {
            ("key", hex) => conditions.key_sha256.push(digest(hex)),
            ("certificate", hex) => conditions.certificate_sha256.push(digest(hex)),
            (_, san) => conditions.san.push(san.to_owned()),
        }
        Watch {
            name: name.clone(),
            severity: Severity::High,
            notify: None,
            conditions,
            any: Vec::new(),
            shape: None,
            hold: None,
        }
    };
    names.iter().map(watch).collect()
}

pub(crate) fn shard() -> Shard {
    let name = KeyName::new("log.example").unwrap();
    let spki = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00\x19\xbf\x44\x09\x69\x84\xcd\xfe\x85\x41\xba\xc1\x67\xdc\x3b\x96\xc8\x50\x86\xaa\x30\xb6\xb6\xcb\x0c\x5c\x38\xad\x70\x31\x66\xe1";
    Shard {
        name: "log".to_owned(),
        log: LogId::new("log.example"),
        origin: Origin::new("log.example").unwrap(),
        label: None,
        protocol: Protocol::RekorV1,
        base: 0,
        ended: false,
        verifiers: vec![Verifier::rekor_v1(name, spki).unwrap()],
        promise_keys: Vec::new(),
        start: Start::Beginning,
        silence_after: None,
        rollback_after: std::time::Duration::ZERO,
    }
}

/// The watches of the findings of each leaf.
fn found(leaves: &[Vec<u8>], rules: &Rules) -> Vec<HashSet<String>> {
    let all = Leaves::copied(0, leaves).unwrap();
    let scanned = scan_here(&all, &shard(), rules, Timestamp::UNIX_EPOCH);
    let mut found = vec![HashSet::new(); leaves.len()];
    for new in scanned.findings {
        let index = usize::try_from(new.finding.index.unwrap()).unwrap();
        found[index].extend(new.finding.watch);
    }
    found
}

#[test]
fn no_change_to_an_entry_hides_the_signer_that_go_reads() {
    let recorded = recorded();
    assert_eq!(recorded.len(), 200);
    let mut watched = BTreeSet::new();
    for leaf in &recorded {
        let signers = go::signers(leaf);
        assert_eq!(signers.len(), 1, "{}", String::from_utf8_lossy(leaf));
        watched.extend(signers.iter().flat_map(|der| names(der)));
    }
    let rules = Rules::new(Watches::compile(watches(&watched)).unwrap(), None);

    let mut random = Random(SEED);
    let changed: Vec<Vec<u8>> = (0..MUTATIONS)
        .map(|number| {
            let leaf = &recorded[number % recorded.len()];
            let other = &recorded[random.below(recorded.len())];
            let mut changed = change(leaf, other, &mut random);
            if random.below(5) == 0 && !changed.is_empty() {
                changed = change(&changed, other, &mut random);
            }
            changed
        })
        .collect();
    let counts: Vec<(usize, usize, Vec<String>)> = changed
        .par_chunks(50)
        .map(|leaves| {
            let (mut seen, mut odd, mut missed) = (0, 0, Vec::new());
            for (leaf, found) in leaves.iter().zip(found(leaves, &rules)) {
                for der in go::signers(leaf) {
                    for name in names(&der)
                        .into_iter()
                        .filter(|name| watched.contains(name))
                    {
                        seen += 1;
                        if !found.contains(&name) {
                            missed.push(format!("{name} in {}", String::from_utf8_lossy(leaf)));
                        }
                    }
                }
                odd += usize::from(
                    crate::entry::parse(leaf)
                        .map_or(true, |entry| !entry.unreadable.is_empty() || entry.has_more),
                );
            }
            (seen, odd, missed)
        })
        .collect();
    let missed: Vec<&String> = counts.iter().flat_map(|(_, _, missed)| missed).collect();
    assert!(
        missed.is_empty(),
        "{} missed, first {}",
        missed.len(),
        missed[0]
    );
    // The reason must not be that nothing was read, or that nothing was changed.
    let seen: usize = counts.iter().map(|(seen, _, _)| seen).sum();
    let odd: usize = counts.iter().map(|(_, odd, _)| odd).sum();
    assert!(
        seen > MUTATIONS && odd > MUTATIONS / 2,
        "{seen} seen, {odd} odd"
    );
}

#[test]
fn the_reader_follows_the_table_of_rules() {
    let table = include_str!("../../../../tests/data/go-reading.md");
    let reader = include_str!("go.rs");
    let mut rules = HashMap::new();
    for row in table.lines().filter(|line| line.starts_with("| ")).skip(2) {
        let columns: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(columns.len(), 4, "{row}");
        assert!(columns[3].contains(".go`"), "{row}");
        assert!(rules.insert(columns[0], row).is_none(), "{row}");
        let is_there =
            |line: &&str| line.trim_start().starts_with("//") && mentions(line, columns[0]);
        assert!(reader.lines().any(|line| is_there(&line)), "{row}");
    }
    assert!(rules.len() > 20);
}

/// Whether a comment names the rule, or a range of rules that contains it.
fn mentions(line: &str, rule: &str) -> bool {
    let (letter, number) = rule.split_at(1);
    let number: u32 = number.parse().unwrap();
    let numbers: Vec<u32> = line
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter_map(|word| word.strip_prefix(letter)?.parse().ok())
        .collect();
    match numbers.as_slice() {
        [first, last] if line.contains(" to ") => (*first..=*last).contains(&number),
        numbers => numbers.contains(&number),
    }
}
