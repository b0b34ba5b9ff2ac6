//! `lookup --remote`: what the search index of a Rekor v1 log names counts if it is proven.

use modelwatch::expect::Part;
use modelwatch::judge::Rules;
use modelwatch::lookup::{self, Answer, BundleIs, DigestIs, Ended, LookupError, Question, Remote};
use modelwatch::monitor::{MonitoredLog, RekorV1Log};
use modelwatch::watch::Watches;
use serde_json::{Value, json};

use crate::rekor_v1::V1;
use crate::world::{Anomaly, RELEASE, Signer, authorities, other_leaves};

const MODEL: &str = "abababababababababababababababababababababababababababababababab";

fn log(v1: &V1) -> RekorV1Log {
    match v1.followed() {
        MonitoredLog::RekorV1(log) => log,
        MonitoredLog::Tree(_) | MonitoredLog::Guided(_) => panic!("it is a Rekor v1 log"),
    }
}

fn by_name() -> Question {
    Question {
        identity: Some(RELEASE.to_owned()),
        limit: 10,
        ..Question::default()
    }
}

fn by_digest() -> Question {
    Question {
        digests: vec![DigestIs::parse(&format!("sha256:{MODEL}")).unwrap()],
        limit: 10,
        ..Question::default()
    }
}

async fn ask(v1: &V1, question: &Question) -> Answer {
    let rules = Rules::new(Watches::compile(Vec::new()).unwrap(), Some(authorities()));
    let world = Remote {
        logs: &[log(v1)],
        rules: &rules,
        now: "2026-11-21T08:00:00Z".parse().unwrap(),
    };
    lookup::remote(question, &world).await.unwrap()
}

fn found(answer: &Answer) -> Vec<u64> {
    answer
        .signings
        .iter()
        .map(|signing| signing.index)
        .collect()
}

fn files(v1: &V1, name: &str, local: usize) {
    let id = v1.log.id(0, local);
    v1.log.index(|index| index.file(name, &id));
}

#[tokio::test]
async fn what_the_index_names_is_proven_and_shown_and_never_complete() {
    let mut v1 = V1::new().await;
    v1.rotate();
    files(&v1, RELEASE, 23);
    let id = v1.log.id(1, 4);
    v1.log.index(|index| index.file(RELEASE, &id));
    let answer = ask(&v1, &by_name()).await;
    assert_eq!(found(&answer), [23, 29]);
    assert_eq!(answer.ended(), Ended::Found);
    assert!(!answer.coverage.complete);
    let line = serde_json::to_value(&answer.signings[0]).unwrap();
    assert_eq!(line["source"], "remote");
    assert_eq!(
        (&line["proven"], &line["matched"]),
        (&json!(true), &json!("entry"))
    );
    assert_eq!(
        (&line["findings"], &line["registered"]),
        (&json!([]), &Value::Null)
    );
    assert_eq!(line["chain"], "trusted");
    let one = Question {
        limit: 1,
        ..by_name()
    };
    let cut = ask(&v1, &one).await;
    assert_eq!(found(&cut).len(), 1);
    assert!(
        serde_json::to_string(&cut.coverage)
            .unwrap()
            .contains("\"limit\"")
    );
}

#[tokio::test]
async fn a_server_that_takes_only_mail_addresses_and_one_that_names_nothing_are_unanswered() {
    let v1 = V1::new().await;
    let answer = ask(&v1, &by_name()).await;
    assert_eq!(
        (found(&answer), answer.ended()),
        (vec![], Ended::Unanswered)
    );
    v1.log.index(|index| index.is_old = true);
    let answer = ask(&v1, &by_name()).await;
    assert_eq!(answer.ended(), Ended::Unanswered);
    let coverage = serde_json::to_string(&answer.coverage).unwrap();
    assert!(coverage.contains("cannot be asked"), "{coverage}");
}

#[tokio::test]
async fn an_index_that_lies_gives_no_signing() {
    let v1 = V1::new().await;
    // Entries by others, and one that does not exist.
    files(&v1, RELEASE, 3);
    let answer = ask(&v1, &by_name()).await;
    assert_eq!((found(&answer), answer.unproven.len()), (vec![], 0));
    v1.log
        .index(|index| index.file(RELEASE, &format!("{:016x}{MODEL}", 101)));
    let answer = ask(&v1, &by_name()).await;
    assert_eq!((found(&answer), answer.unproven.len()), (vec![], 1));
    assert_eq!(answer.ended(), Ended::Unanswered);
    v1.log
        .index(|index| index.file_odd(RELEASE, json!("not an id")));
    let answer = ask(&v1, &by_name()).await;
    assert_eq!(
        (found(&answer), answer.ended()),
        (vec![], Ended::Unanswered)
    );
}

#[tokio::test]
async fn a_log_that_lies_about_an_entry_proves_nothing() {
    for anomaly in [
        Anomaly::Swaps(23),
        Anomaly::Misproves(23),
        Anomaly::Garbles(23),
        Anomaly::Hides(23),
        Anomaly::Renames(23),
        Anomaly::Moves(23),
    ] {
        let v1 = V1::new().await;
        files(&v1, RELEASE, 23);
        v1.log.odd(anomaly.clone());
        let answer = ask(&v1, &by_name()).await;
        assert_eq!(found(&answer), [0; 0], "{anomaly:?}");
        assert_eq!(answer.ended(), Ended::Unanswered, "{anomaly:?}");
    }
    let v1 = V1::new().await;
    v1.log.odd(Anomaly::Down);
    let answer = ask(&v1, &by_name()).await;
    assert_eq!(
        (found(&answer), answer.ended()),
        (vec![], Ended::Unanswered)
    );
}

#[tokio::test]
async fn a_digest_that_only_the_index_shows_is_a_hint() {
    let v1 = V1::new().await;
    let name = format!("sha256:{MODEL}");
    files(&v1, &name, 23);
    let answer = ask(&v1, &by_digest()).await;
    assert_eq!(found(&answer), [23]);
    let line = serde_json::to_value(&answer.signings[0]).unwrap();
    assert_eq!(line["matched"], "hint");
    assert_eq!(answer.ended(), Ended::Found);
    // With another condition, which that entry does not meet.
    let other = Question {
        issuer: Some("https://other.example".to_owned()),
        ..by_digest()
    };
    let answer = ask(&v1, &other).await;
    assert_eq!(
        (found(&answer), answer.ended()),
        (vec![], Ended::Unanswered)
    );
    assert!(
        serde_json::to_string(&answer.coverage)
            .unwrap()
            .contains("not-in-log")
    );
}

#[tokio::test]
async fn an_entry_that_the_bundle_and_the_index_name_is_shown_once() {
    let v1 = V1::new().await;
    let digest = format!("sha256:{MODEL}");
    files(&v1, &digest, 23);
    // With the id of its tree in the index, and without it in the bundle.
    let id = v1.log.id(0, 23);
    let by_bundle = Question {
        bundle: Some(BundleIs {
            leaves: vec![id[id.len() - 64..].to_owned()],
            logged: None,
            signature_sha256: None,
            digests: vec![(Part::Message, digest)],
        }),
        limit: 10,
        ..Question::default()
    };
    assert_eq!(found(&ask(&v1, &by_bundle).await), [23]);
    assert_eq!(v1.log.asked("index/retrieve"), 1);
}

#[tokio::test]
async fn an_entry_by_its_id_needs_no_index_and_other_conditions_cannot_be_asked() {
    let v1 = V1::new().await;
    v1.log.grow(0, [Signer::Release.signs(7)]);
    v1.log.grow(0, other_leaves(3));
    let by_id = Question {
        uuid: v1.log.id(0, 25).parse().ok(),
        limit: 10,
        ..Question::default()
    };
    assert_eq!(found(&ask(&v1, &by_id).await), [25]);
    assert_eq!(v1.log.asked("index/retrieve"), 0);
    let rules = Rules::new(Watches::compile(Vec::new()).unwrap(), None);
    let world = Remote {
        logs: &[log(&v1)],
        rules: &rules,
        now: "2026-11-21T08:00:00Z".parse().unwrap(),
    };
    let by_issuer = Question {
        issuer: Some("https://issuer.example".to_owned()),
        ..Question::default()
    };
    let refused = lookup::remote(&by_issuer, &world).await;
    assert!(matches!(refused, Err(LookupError::NotInIndex)));
    let elsewhere = Question {
        logs: vec!["other".to_owned()],
        ..by_name()
    };
    let refused = lookup::remote(&elsewhere, &world).await;
    assert!(matches!(refused, Err(LookupError::UnknownLog(_))));
}
