//! The compiled watches compared with a matcher without index, and on recorded entries.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::testing::{GITHUB, certificate, conditions, signer, watch};
use super::*;
use crate::identity::{Certificate, Extension, Key, Signer};

/// The contract, implemented once more without code of the module: globs by recursion, hashes computed each time, every
/// watch compared.
mod naive {
    use super::*;

    fn glob(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|skip| glob(rest, &text[skip..])),
            Some((first, rest)) => text.first() == Some(first) && glob(rest, &text[1..]),
        }
    }

    /// Like [`glob`], but no `*` matches an `@` as long as one follows in the pattern.
    fn strict(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|skip| {
                !(rest.contains(&b'@') && text[..skip].contains(&b'@'))
                    && strict(rest, &text[skip..])
            }),
            Some((first, rest)) => text.first() == Some(first) && strict(rest, &text[1..]),
        }
    }

    fn set(set: &Conditions, signer: &Signer, shape: bool) -> bool {
        let certificate = match signer {
            Signer::Certificate(certificate) => Some(&**certificate),
            Signer::Key(_) => None,
        };
        let sans: Vec<&str> = certificate
            .into_iter()
            .flat_map(Certificate::sans)
            .map(|san| san.value.as_str())
            .collect();
        let fold = |text: &str| {
            if shape {
                text.to_owned()
            } else {
                text.to_ascii_lowercase()
            }
        };
        let names = |empty: bool, test: &dyn Fn(&str) -> bool| {
            empty
                || if shape {
                    !sans.is_empty() && sans.iter().all(|san| test(san))
                } else {
                    sans.iter().any(|san| test(san))
                }
        };
        let values = |wanted: &[String], actual: Vec<&str>| {
            let one = |value: &&str| wanted.iter().any(|w| w == value);
            wanted.is_empty() || actual.iter().any(one) && (!shape || actual.iter().all(one))
        };
        let of = |extension: Extension| -> Vec<&str> {
            certificate
                .into_iter()
                .flat_map(|certificate| certificate.extensions().values(extension))
                .collect()
        };
        let fits = |wanted: &Glob, text: &str| {
            let wanted = fold(wanted.as_str());
            let matches = if shape { strict } else { glob };
            matches(wanted.as_bytes(), fold(text).as_bytes())
        };
        let globs = |wanted: &[Glob], actual: Vec<&str>| {
            let one = |value: &&str| wanted.iter().any(|glob| fits(glob, value));
            actual.iter().any(one) && (!shape || actual.iter().all(one))
        };
        names(set.san.is_empty(), &|san| {
            set.san.iter().any(|s| fold(s) == fold(san))
        }) && names(set.san_glob.is_empty(), &|san| {
            set.san_glob.iter().any(|g| fits(g, san))
        }) && names(set.san_regex.is_empty(), &|san| {
            set.san_regex.iter().any(|regex| {
                let whole = format!("^(?:{})$", regex.as_str());
                regex::Regex::new(&whole).expect("valid").is_match(san)
            })
        }) && values(
            &set.issuer,
            certificate
                .into_iter()
                .flat_map(Certificate::issuers)
                .collect(),
        ) && set
            .extension
            .iter()
            .all(|(e, wanted)| values(wanted, of(*e)))
            && set
                .extension_glob
                .iter()
                .all(|(e, wanted)| globs(wanted, of(*e)))
            && (set.key_sha256.is_empty() || set.key_sha256.contains(&signer.key_sha256()))
            && (set.certificate_sha256.is_empty()
                || certificate
                    .and_then(Certificate::sha256)
                    .is_some_and(|hash| set.certificate_sha256.contains(&hash)))
    }

    pub(super) fn matches(watches: &[Watch], signer: &Signer) -> Vec<Match> {
        let selected = watches.iter().enumerate().filter_map(|(index, watch)| {
            let alternatives: Vec<&Conditions> = watch
                .any
                .iter()
                .filter(|alternative| set(alternative, signer, false))
                .collect();
            let selected = set(&watch.conditions, signer, false)
                && (watch.any.is_empty() || !alternatives.is_empty());
            let by_key =
                |set: &Conditions| !set.key_sha256.is_empty() || !set.certificate_sha256.is_empty();
            selected.then(|| Match {
                watch: index,
                in_shape: watch.shape.as_ref().map(|shape| set(shape, signer, true)),
                by_key: by_key(&watch.conditions) || alternatives.into_iter().any(by_key),
            })
        });
        selected.collect()
    }
}

/// Few names over few letters, so that they meet often.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab]{1,3}@[AB]",
        "https://h/[ab]{1,2}/[Ab]{1,2}",
        Just("a@b".to_owned())
    ]
}

fn pattern() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab*]{1,4}@\\*?",
        "https://h/[ab*]{1,3}/[A*b]{1,2}",
        Just("*".to_owned())
    ]
}

fn expression() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("a+@.".to_owned()),
        Just("(?i)https://h/(a|b)b?/.*".to_owned()),
        Just(".*b.*".to_owned()),
        Just("(a@A|b@B)".to_owned()),
        Just("https://h/a.*".to_owned()),
    ]
}

fn value() -> impl Strategy<Value = String> {
    "[xyzX](@[xy])?"
}

fn value_pattern() -> impl Strategy<Value = String> {
    "[xyzX*](@[xY*])?"
}

fn digest() -> impl Strategy<Value = [u8; 32]> {
    // The key that all test certificates have, or another.
    static KEY: LazyLock<[u8; 32]> = LazyLock::new(|| certificate(&[], &[]).key_sha256());
    prop_oneof![Just(*KEY), Just([1; 32])]
}

fn set() -> impl Strategy<Value = Conditions> {
    let few = 0..2_usize;
    (
        prop::collection::vec(name(), few.clone()),
        prop::collection::vec(pattern(), few.clone()),
        prop::collection::vec(expression(), few.clone()),
        prop::collection::vec(value(), 0..3),
        prop::collection::vec((prop::bool::ANY, value()), few.clone()),
        prop::collection::vec((prop::bool::ANY, value_pattern()), few),
        prop::option::weighted(0.1, digest()),
        0..7_u8,
    )
        .prop_map(
            |(san, glob, regex, issuer, extension, patterns, key, keep)| {
                let name = |first| {
                    if first {
                        Extension::BuildTrigger
                    } else {
                        Extension::TokenSubject
                    }
                };
                let mut extensions: BTreeMap<Extension, Vec<String>> = BTreeMap::new();
                for (first, value) in extension {
                    extensions.entry(name(first)).or_default().push(value);
                }
                let mut extension_glob: BTreeMap<Extension, Vec<Glob>> = BTreeMap::new();
                for (first, pattern) in patterns {
                    let globs = extension_glob.entry(name(first)).or_default();
                    globs.push(Glob::new(&pattern));
                }
                let mut set = Conditions {
                    san,
                    san_glob: glob.iter().map(|text| Glob::new(text)).collect(),
                    san_regex: regex
                        .iter()
                        .filter_map(|text| SanRegex::new(text).ok())
                        .collect(),
                    issuer,
                    extension: extensions,
                    extension_glob,
                    key_sha256: key.into_iter().collect(),
                    certificate_sha256: Vec::new(),
                };
                // With every condition at once, hardly anything would ever match.
                match keep {
                    0 => set.san_glob.clear(),
                    1 => set.issuer.clear(),
                    2 => set.san.clear(),
                    3 => {
                        set.extension.clear();
                        set.extension_glob.clear();
                    }
                    _ => {
                        set.san.clear();
                        set.san_regex.clear();
                        set.issuer.truncate(usize::from(keep) - 4);
                    }
                }
                set
            },
        )
}

fn any_watch() -> impl Strategy<Value = Watch> {
    (
        set(),
        prop::collection::vec(set(), 0..3),
        prop::option::of(set()),
    )
        .prop_map(|(own, any, shape)| {
            let mut watch = Watch::new("", own);
            watch.any = any.into_iter().filter(|set| !set.is_empty()).collect();
            watch.shape = shape;
            watch
        })
}

fn any_signer() -> impl Strategy<Value = Signer> {
    (
        prop::collection::vec(name(), 0..3),
        prop::collection::btree_map(prop::sample::select(vec![1_u64, 8, 20, 24]), value(), 0..4),
    )
        .prop_map(|(sans, extensions)| {
            let sans: Vec<&str> = sans.iter().map(String::as_str).collect();
            let extensions: Vec<(u64, &str)> =
                extensions.iter().map(|(n, v)| (*n, v.as_str())).collect();
            signer(&sans, &extensions)
        })
}

proptest! {
    // Each case compiles dozens of regular expressions.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_index_changes_nothing(
        mut watches in prop::collection::vec(any_watch(), 1..12),
        signers in prop::collection::vec(any_signer(), 1..4),
    ) {
        watches.retain(|watch| !(watch.conditions.is_empty() && watch.any.is_empty()));
        for (index, watch) in watches.iter_mut().enumerate() {
            watch.name = index.to_string();
        }
        let compiled = Watches::compile(watches.clone()).expect("no mistake among them");
        for signer in &signers {
            let mut found = Vec::new();
            compiled.matches(signer, &mut found);
            prop_assert_eq!(&found, &naive::matches(&watches, signer));
            for (index, watch) in watches.iter().enumerate() {
                let matched = found.iter().find(|m| m.watch == index);
                let explanation = explain(watch, signer);
                prop_assert_eq!(explanation.selected, matched.is_some());
            }
        }
    }
}

const RELEASE: &str = "https://github.com/o/falcon/.github/workflows/release.yml@refs/tags/v1";

fn found(watches: Vec<Watch>, signer: &Signer) -> Vec<Match> {
    let mut found = Vec::new();
    Watches::compile(watches)
        .expect("valid")
        .matches(signer, &mut found);
    found
}

#[test]
fn matches_are_appended() {
    let watches = Watches::compile(vec![watch("w", conditions().issuer(GITHUB))]).expect("valid");
    let mut found = Vec::new();
    let signer = signer(&[RELEASE], &[(8, GITHUB)]);
    watches.matches(&signer, &mut found);
    watches.matches(&signer, &mut found);
    assert_eq!(found.len(), 2);
}

#[test]
fn case_counts_in_a_shape_and_not_in_selecting() {
    let mut scope = watch("w", conditions().glob("https://GitHub.com/o/falcon/*"));
    scope.shape = Some(
        conditions()
            .glob("https://github.com/o/falcon/.github/workflows/release.yml@*")
            .build(),
    );
    let other = RELEASE.replace("release.yml", "Release.yml");
    assert_eq!(
        found(vec![scope.clone()], &signer(&[RELEASE], &[]))[0].in_shape,
        Some(true)
    );
    assert_eq!(
        found(vec![scope.clone()], &signer(&[&other], &[]))[0].in_shape,
        Some(false)
    );
    assert_eq!(
        found(vec![scope], &signer(&[&other, "a@b"], &[]))[0].in_shape,
        Some(false)
    );
}

#[test]
fn a_certificate_with_two_issuers_is_selected_by_either_and_in_no_shape_of_one() {
    let mut by_issuer = watch("w", conditions().issuer("https://one"));
    by_issuer.shape = Some(conditions().issuer("https://one").build());
    let matched = found(
        vec![by_issuer],
        &signer(&["a@b"], &[(1, "https://two"), (8, "https://one")]),
    );
    assert_eq!(matched.len(), 1);
    assert_eq!(matched[0].in_shape, Some(false));
}

#[test]
fn a_match_by_key_or_by_certificate_is_reported_as_such() {
    let certificate = certificate(&["a@b"], &[]);
    let mut either = watch("either", conditions());
    either.any = vec![
        conditions().san("a@b").build(),
        conditions()
            .certificate(certificate.sha256().expect("not a precertificate"))
            .build(),
    ];
    let watches = vec![
        watch("san", conditions().san("A@B")),
        watch("key", conditions().key(certificate.key_sha256())),
        either,
    ];
    let signer = Signer::Certificate(Box::new(certificate));
    let by_key: Vec<bool> = found(watches, &signer).iter().map(|m| m.by_key).collect();
    assert_eq!(by_key, [false, true, true]);
}

#[test]
fn the_hash_of_conditions_ignores_order_spelling_and_what_does_not_select() {
    let one = || {
        let mut watch = watch("a", conditions().san("A@b").san("c@d").issuer("i"));
        watch.any = vec![
            conditions().glob("X*").build(),
            conditions().glob("y*").build(),
        ];
        watch
    };
    let mut other = watch(
        "b",
        conditions().san("C@D").san("a@B").san("a@b").issuer("i"),
    );
    other.any = vec![
        conditions().glob("Y**").build(),
        conditions().glob("x*").build(),
    ];
    other.shape = Some(conditions().issuer("j").build());
    other.severity = Severity::Low;
    assert_eq!(one().conditions_hash(), other.conditions_hash());
    assert_ne!(one().rule_hash(), other.rule_hash());
    let changes: [fn(&mut Watch); 7] = [
        |w| {
            let globs = &mut w.conditions.extension_glob;
            globs.insert(Extension::BuildTrigger, vec![Glob::new("i")]);
        },
        |w| w.conditions.issuer = vec!["I".into()],
        |w| w.conditions.san = vec!["a@bc@d".into()],
        |w| w.any.clear(),
        |w| w.any.truncate(1),
        |w| w.conditions.san_glob = vec![Glob::new("a@b")],
        |w| {
            w.conditions
                .extension
                .insert(Extension::BuildTrigger, vec!["i".into()]);
        },
    ];
    for change in changes {
        let mut other = one();
        change(&mut other);
        assert_ne!(other.conditions_hash(), one().conditions_hash());
    }
}

#[test]
fn the_values_of_extensions_are_found_by_globs_without_regard_to_case() {
    let mut watch = watch(
        "w",
        conditions().extension_glob(
            Extension::SourceRepositoryUri,
            "https://github.com/Acme/owl-*",
        ),
    );
    watch.shape = Some(
        conditions()
            .extension_glob(
                Extension::BuildConfigUri,
                "https://github.com/acme/*/.github/workflows/*.yml@refs/tags/*",
            )
            .build(),
    );
    let judged = |repository: &str, file: &str| {
        let file = format!("https://github.com/acme/owl-1/.github/workflows/{file}");
        let signer = signer(
            &["https://github.com/shared/x/.github/workflows/sign.yml@refs/tags/v2"],
            &[(12, repository), (18, &file)],
        );
        found(vec![watch.clone()], &signer)
            .first()
            .map(|found| found.in_shape)
    };
    let owl = "https://github.com/acme/OWL-1";
    assert_eq!(judged(owl, "release.yml@refs/tags/v1"), Some(Some(true)));
    assert_eq!(
        judged(owl, "release.yml@refs/heads/main"),
        Some(Some(false))
    );
    assert_eq!(judged(owl, "release.YML@refs/tags/v1"), Some(Some(false)));
    // A branch of that name is a valid one.
    assert_eq!(
        judged(owl, "evil.yml@refs/heads/x.yml@refs/tags/v1"),
        Some(Some(false))
    );
    assert_eq!(judged("https://github.com/acme/emu-1", "x"), None);
    // In `extension` a star is a star.
    let literal = testing::watch("w", conditions().extension(Extension::BuildTrigger, "re*"));
    assert_eq!(
        found(vec![literal.clone()], &signer(&[], &[(20, "release")])),
        []
    );
    assert_eq!(found(vec![literal], &signer(&[], &[(20, "re*")])).len(), 1);
}

#[test]
fn every_value_of_an_extension_has_to_fit_the_globs_of_a_shape() {
    let mut watch = watch("w", conditions().extension(Extension::TokenSubject, "s"));
    watch.shape = Some(
        conditions()
            .extension_glob(Extension::BuildTrigger, "rel*")
            .build(),
    );
    for (extensions, in_shape) in [
        (&[(24, "s"), (20, "release")][..], true),
        (&[(24, "s"), (20, "release"), (20, "push")], false),
        (&[(24, "s")], false),
    ] {
        let judged = found(vec![watch.clone()], &signer(&[], extensions));
        assert_eq!(judged[0].in_shape, Some(in_shape), "{extensions:?}");
    }
}

#[test]
fn the_hashes_of_watches_that_mean_what_they_meant_are_what_they_were() {
    let mut watch = watch("w", conditions());
    watch.any = vec![
        conditions()
            .extension(Extension::SourceRepositoryIdentifier, "463804977")
            .build(),
        conditions().glob("https://github.com/o/falcon/*").build(),
    ];
    watch.shape = Some(
        conditions()
            .issuer(GITHUB)
            .glob("https://github.com/o/falcon/.github/workflows/release.yml@refs/tags/*")
            .build(),
    );
    // As the version before globs over extensions computed them.
    assert_eq!(
        hex::encode(watch.conditions_hash()),
        "3230da118cf21d7c7aff619bbb0e058098bb93357ed7aefda38bccf636d2b024"
    );
    assert_eq!(
        hex::encode(watch.rule_hash()),
        "f5a3cfffee06c4c1cd587abf6eac96a391d7bcf89caf2a48ca2ca57cd1fa9ba5"
    );
    let looser = watch.rule_hash();
    let star = Glob::new("https://github.com/o/falcon/.github/workflows/*@refs/tags/*");
    watch.shape = watch.shape.map(|shape| Conditions {
        san_glob: vec![star],
        ..shape
    });
    let shape = watch.shape.as_ref().expect("it has one");
    let mut before = Sha256::new();
    before.update(b"modelwatch rule 1\n");
    before.update(watch.conditions_hash());
    before.update(shape.hash());
    assert_ne!(watch.rule_hash(), looser);
    assert_ne!(watch.rule_hash().as_slice(), before.finalize().as_slice());
}

#[test]
fn what_real_certificates_hold_is_what_their_issuers_may_write() {
    let mut seen = BTreeMap::new();
    let forms = Forms::new();
    let lines = include_str!("../../../../tests/data/entries/rekor-v2.jsonl").lines();
    for line in lines.chain(include_str!("../../../../tests/data/entries/rekor-v1.jsonl").lines()) {
        let line: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        let Some(leaf) = line["leaf"].as_str() else {
            continue;
        };
        let entry = crate::entry::parse(leaf.as_bytes()).expect("readable");
        for certificate in entry.signings.iter().filter_map(|s| s.signer.certificate()) {
            let provider = certificate.issuer().and_then(provider::Provider::of_issuer);
            // A second name beside the first is how a certificate would pass for two.
            let ([san], Some(provider)) = (certificate.sans(), provider) else {
                continue;
            };
            if !matches!(
                san.kind,
                crate::identity::SanType::Uri | crate::identity::SanType::Email
            ) {
                continue;
            }
            let reading = forms::Reading::Shape;
            assert!(
                forms.may_write(&provider, &san.value, reading),
                "{}",
                san.value
            );
            for (extension, value) in certificate.extensions().iter() {
                assert!(
                    forms.may_hold(&provider, extension, value),
                    "{}: {extension}: {value}",
                    san.value
                );
            }
            *seen.entry(provider.name()).or_insert(0) += 1;
        }
    }
    let seen: Vec<_> = seen.keys().map(String::as_str).collect();
    assert_eq!(
        seen,
        ["GitHub Actions", "GitLab", "a provider of mail addresses"]
    );
}

#[test]
fn mistakes_are_refused() {
    let ok = || watch("w", conditions().san("a@b"));
    assert!(matches!(
        Watches::compile(vec![ok(), ok()]),
        Err(WatchError::DuplicateName { .. })
    ));
    assert!(matches!(
        Watches::compile(vec![watch("w", conditions())]),
        Err(WatchError::NoConditions { .. })
    ));
    let mut empty_alternative = ok();
    empty_alternative.any = vec![Conditions::default()];
    assert!(matches!(
        Watches::compile(vec![empty_alternative]),
        Err(WatchError::NoConditions { .. })
    ));
    let mut hold = ok();
    hold.hold = Some(Duration::from_secs(1));
    assert!(matches!(
        Watches::compile(vec![hold]),
        Err(WatchError::HoldWithoutShape { .. })
    ));
}

#[test]
fn an_unreadable_leaf_is_searched_for_what_watches_name_in_any_case() {
    let mut either = watch("either", conditions().issuer(GITHUB));
    either.any = vec![
        conditions()
            .extension(Extension::SourceRepositoryIdentifier, "4638")
            .build(),
        conditions().glob("https://github.com/o/*").build(),
    ];
    let watches = Watches::compile(vec![
        watch(
            "mail",
            conditions().san("Release@example.com").issuer(GITHUB),
        ),
        either,
        watch("key", conditions().key([3; 32])),
    ])
    .expect("valid");
    assert_eq!(watches.literals_in(b"\x00RELEASE@EXAMPLE.COM\xff"), [0]);
    assert_eq!(
        watches.literals_in(b"\"4638\" HTTPS://github.com/o/ release@example.com"),
        [0, 1]
    );
    let utf16: Vec<u8> = "Release@Example.com"
        .encode_utf16()
        .flat_map(u16::to_be_bytes)
        .collect();
    assert_eq!(watches.literals_in(&utf16), [0]);
    assert!(watches.literals_in(GITHUB.as_bytes()).is_empty());
    let none = Watches::compile(Vec::new()).expect("no watch is valid");
    assert!(none.literals_in(b"x").is_empty());
    assert_eq!(none.iter().len(), 0);
}

#[test]
fn exact_names_of_a_watch_can_be_looked_up_and_keys_cannot() {
    let with_any = |mut watch: Watch, any: Vec<Conditions>| {
        watch.any = any;
        watch
    };
    let table: [(Watch, &[&str], bool); 8] = [
        (
            watch("one", conditions().san("A@b").san("c@d")),
            &["a@b", "c@d"],
            false,
        ),
        (watch("glob", conditions().glob("https://x/*")), &[], false),
        (watch("key", conditions().key([1; 32])), &[], true),
        (
            watch("certificate", conditions().certificate([1; 32])),
            &[],
            true,
        ),
        // Everything that it selects has the name.
        (
            watch("key and name", conditions().key([1; 32]).san("a@b")),
            &["a@b"],
            false,
        ),
        (
            with_any(
                watch("either", conditions().issuer(GITHUB)),
                vec![
                    conditions().san("A@b").build(),
                    conditions().san("a@B").san("e@f").build(),
                    conditions().glob("x*").build(),
                ],
            ),
            &["a@b", "e@f"],
            false,
        ),
        (
            with_any(
                watch("or a key", conditions().issuer(GITHUB)),
                vec![
                    conditions().san("a@b").build(),
                    conditions().key([1; 32]).build(),
                ],
            ),
            &["a@b"],
            true,
        ),
        (
            with_any(
                watch("name, and either", conditions().san("a@b")),
                vec![
                    conditions().san("c@d").build(),
                    conditions().key([1; 32]).build(),
                ],
            ),
            &["a@b"],
            false,
        ),
    ];
    for (watch, spelled_out, nameless) in table {
        assert_eq!(watch.spelled_out_sans(), spelled_out, "{}", watch.name);
        assert_eq!(watch.selects_without_a_name(), nameless, "{}", watch.name);
    }
}

#[test]
fn the_names_that_a_watch_selects_by_come_first() {
    use crate::identity::{San, SanType};
    let san = |value: &str| San {
        kind: SanType::Uri,
        value: value.to_owned(),
    };
    let names = [
        "https://a.example",
        "Owner@corp.example",
        "https://w/x@refs/tags/v1",
    ]
    .map(san);
    let first = |watch: &Watch| watch.selected_first(&names)[0].value.clone();
    let watch = |conditions: Conditions, any: Vec<Conditions>| Watch {
        any,
        ..Watch::new("w", conditions)
    };
    let set = |edit: &dyn Fn(&mut Conditions)| {
        let mut conditions = Conditions::default();
        edit(&mut conditions);
        conditions
    };
    let by_san = set(&|set| set.san.push("owner@corp.example".to_owned()));
    let by_glob = set(&|set| set.san_glob.push(Glob::new("https://w/*")));
    let by_regex = set(&|set| {
        set.san_regex
            .push(SanRegex::new("https://w/.*").expect("an expression"));
    });
    let by_issuer = set(&|set| set.issuer.push("https://issuer.example".to_owned()));
    for (watch, expected) in [
        (watch(by_san, vec![]), names[1].value.as_str()),
        (watch(by_glob.clone(), vec![]), &names[2].value),
        (watch(by_regex, vec![]), &names[2].value),
        (watch(by_issuer.clone(), vec![by_glob]), &names[2].value),
        (watch(by_issuer, vec![]), &names[0].value),
    ] {
        assert_eq!(first(&watch), expected);
        assert_eq!(
            watch.selected_first(&names).len(),
            names.len(),
            "none is lost"
        );
    }
}

#[test]
fn a_key_is_selected_by_each_of_its_hashes_and_shown_by_two() {
    let file = include_bytes!("../../../../tests/data/keys/encodings/ed25519-cert.pub");
    let key = Key::from_ssh(file).expect("sound").remove(0);
    let canonical = key.canonical_sha256().expect("sound");
    let hashes = key.hashes();
    let signer = Signer::Key(key);
    for hash in &hashes {
        let watches = Watches::compile(vec![watch("w", conditions().key(*hash))]).expect("sound");
        let mut found = Vec::new();
        watches.matches(&signer, &mut found);
        assert!(matches!(found.as_slice(), [one] if one.by_key), "{found:?}");
    }
    let explanation = explain(&watch("w", conditions().key([0; 32])), &signer);
    let shown = [signer.key_sha256(), canonical].map(hex::encode);
    assert_eq!(explanation.conditions[0].actual, shown);
    assert!(!explanation.selected);
}

#[test]
fn a_certificate_is_selected_by_the_hash_of_its_other_encoding() {
    let read = |bytes: &[u8]| Certificate::parse(bytes.to_vec()).expect("sound");
    let one = read(include_bytes!(
        "../../../../tests/data/keys/encodings/certificate.secp384r1.der"
    ));
    let two = read(include_bytes!(
        "../../../../tests/data/keys/encodings/certificate.secp384r1.twin.der"
    ));
    for (owned, logged) in [(&one, &two), (&two, &one)] {
        let hash = owned.sha256().expect("sound");
        let watches =
            Watches::compile(vec![watch("w", conditions().certificate(hash))]).expect("sound");
        let mut found = Vec::new();
        watches.matches(&Signer::Certificate(Box::new(logged.clone())), &mut found);
        assert!(matches!(found.as_slice(), [one] if one.by_key), "{found:?}");
    }
}

#[test]
fn a_uri_that_go_writes_as_a_watched_name_is_selected_and_is_in_no_shape() {
    const NAME: &str = "https://github.com/forge/model/x@refs/heads/main";
    let exact = watch("exact", conditions().san(NAME));
    let glob = watch(
        "glob",
        conditions().glob("https://github.com/forge/model/*"),
    );
    let regex = watch(
        "regex",
        conditions().regex("https://github\\.com/forge/model/.*"),
    );
    let mut shaped = watch("shaped", conditions().glob("https://github.com/*"));
    shaped.shape = Some(conditions().san(NAME).build());
    let watches = Watches::compile(vec![exact, glob, regex, shaped]).expect("watches");
    for (san, selected, in_shape) in [
        (NAME.to_owned(), &[0, 1, 2, 3][..], true),
        (format!("{NAME}#"), &[0, 1, 2, 3], false),
        (NAME.replace("https", "HTTPS"), &[0, 1, 2, 3], false),
        (NAME.replace("forge", "f%6frge"), &[0, 1, 2, 3], false),
        (
            "https://github.com/f%6frge/model/\"x@refs/heads/main".to_owned(),
            &[1, 2, 3],
            false,
        ),
        (format!("{NAME}#a"), &[1, 2, 3], false),
        ("https://github.com/forge/modelx#".to_owned(), &[3], false),
    ] {
        let signer = signer(&[&san], &[]);
        let mut found = Vec::new();
        watches.matches(&signer, &mut found);
        let places: Vec<_> = found.iter().map(|found| found.watch).collect();
        assert_eq!(places, selected, "{san}");
        let last = found.last().expect("the shaped one");
        assert_eq!(last.in_shape, Some(in_shape), "{san}");
        // As it is written in alerts.
        let first = watches.get(3).selected_first(signer.names());
        assert_eq!(first[0].value, san);
    }
}
