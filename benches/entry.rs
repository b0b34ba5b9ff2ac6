//! Parsing of leaves: the cost of each entry in a catch-up besides hashing and matching.
//!
//! `MODELWATCH_BUNDLE` may name an entry bundle of a tiled log (`tile/entries/000`) to read instead of the leaves of
//! the tests.
#![expect(
    clippy::expect_used,
    clippy::missing_docs_in_private_items,
    reason = "a benchmark stops at the first surprise"
)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use modelwatch::entry;
use modelwatch::identity::Certificate;

const RECORDED: &str = include_str!("../tests/data/entries/rekor-v2.jsonl");

fn leaves() -> Vec<Vec<u8>> {
    match std::env::var_os("MODELWATCH_BUNDLE") {
        Some(path) => {
            let bytes = std::fs::read(path).expect("an entry bundle");
            let mut rest = bytes.as_slice();
            let mut leaves = Vec::new();
            while let Some((length, tail)) = rest.split_first_chunk::<2>() {
                let length = usize::from(u16::from_be_bytes(*length));
                let (leaf, tail) = tail.split_at(length);
                leaves.push(leaf.to_vec());
                rest = tail;
            }
            leaves
        }
        None => RECORDED
            .lines()
            .map(|line| {
                let row: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
                row["leaf"].as_str().expect("a leaf").as_bytes().to_vec()
            })
            .collect(),
    }
}

fn read(c: &mut Criterion) {
    let leaves = leaves();
    let certificates: Vec<Vec<u8>> = leaves
        .iter()
        .filter_map(|leaf| {
            let entry = entry::parse(leaf).ok()?;
            Some(entry.signings.first()?.signer.certificate()?.der().to_vec())
        })
        .collect();
    let mut group = c.benchmark_group("entry");
    group.throughput(Throughput::Elements(leaves.len() as u64));
    group.bench_function("parse", |b| {
        b.iter(|| {
            for leaf in &leaves {
                black_box(entry::parse(black_box(leaf))).expect("readable");
            }
        });
    });
    group.bench_function("search what is not understood", |b| {
        b.iter(|| {
            for leaf in &leaves {
                entry::search(black_box(leaf), &mut |found| {
                    black_box(found);
                });
            }
        });
    });
    group.throughput(Throughput::Elements(certificates.len() as u64));
    group.bench_function("certificate", |b| {
        b.iter(|| {
            for der in &certificates {
                black_box(Certificate::parse(black_box(der.clone()))).expect("readable");
            }
        });
    });
    group.finish();
}

criterion_group!(benches, read);
criterion_main!(benches);
