//! The cost of comparing a signing with the watches: 10,000 exact, glob and extension watches should cost about as much
//! as 10.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use modelwatch::identity::{Certificate, Extension, Signer};
use modelwatch::watch::{Conditions, Glob, Watch, Watches};
use rcgen::string::Ia5String;
use rcgen::{CertificateParams, CustomExtension, KeyPair, SanType};

const GITHUB: &str = "https://token.actions.githubusercontent.com";

fn workflow(owner: usize) -> String {
    format!(
        "https://github.com/owner-{owner}/model/.github/workflows/release.yml@refs/tags/v1.{owner}"
    )
}

/// A certificate as Fulcio issues them to a workflow.
fn signer(key: &KeyPair, owner: usize) -> Signer {
    let mut params = CertificateParams::default();
    let name = Ia5String::try_from(workflow(owner)).expect("ASCII");
    params.subject_alt_names.push(SanType::URI(name));
    let repository = format!("https://github.com/owner-{owner}/model");
    for (number, value) in [
        (8, GITHUB.to_owned()),
        (9, workflow(owner)),
        (11, "github-hosted".to_owned()),
        (12, repository.clone()),
        (15, (400_000_000 + owner).to_string()),
        (16, repository),
        (18, workflow(owner)),
        (20, "release".to_owned()),
    ] {
        let length = u8::try_from(value.len()).expect("short");
        let mut content = vec![0x0c, length];
        content.extend(value.as_bytes());
        let oid = [1, 3, 6, 1, 4, 1, 57264, 1, number];
        let extension = CustomExtension::from_oid_content(&oid, content);
        params.custom_extensions.push(extension);
    }
    let certificate = params.self_signed(key).expect("a certificate");
    let certificate = Certificate::parse(certificate.der().to_vec()).expect("readable");
    Signer::Certificate(Box::new(certificate))
}

/// A third of each kind, for owners that the benchmark's signers are not.
fn watches(count: usize) -> Watches {
    let watches = (0..count).map(|number| {
        let owner = 1_000_000 + number;
        let mut conditions = Conditions {
            issuer: vec![GITHUB.to_owned()],
            ..Conditions::default()
        };
        match number % 3 {
            0 => conditions
                .san
                .push(format!("release@owner-{owner}.example")),
            1 => {
                let glob = format!("https://github.com/owner-{owner}/*@refs/tags/*");
                conditions.san_glob.push(Glob::new(&glob));
            }
            _ => {
                let id = (400_000_000 + owner).to_string();
                conditions.extension =
                    BTreeMap::from([(Extension::SourceRepositoryIdentifier, vec![id])]);
            }
        }
        Watch::new(number.to_string(), conditions)
    });
    Watches::compile(watches.collect()).expect("valid")
}

fn matching(criterion: &mut Criterion) {
    let key = KeyPair::generate().expect("a key");
    let signers: Vec<Signer> = (0..500).map(|owner| signer(&key, owner)).collect();
    let mut group = criterion.benchmark_group("matching");
    group.throughput(Throughput::Elements(signers.len() as u64));
    for count in [10, 1_000, 10_000] {
        let watches = watches(count);
        group.bench_function(BenchmarkId::new("watches", count), |bencher| {
            let mut found = Vec::new();
            bencher.iter(|| {
                for signer in &signers {
                    found.clear();
                    watches.matches(black_box(signer), &mut found);
                    assert!(found.is_empty());
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, matching);
criterion_main!(benches);
