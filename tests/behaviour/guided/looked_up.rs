//! A look-up in the findings of a guided log: the answer is never complete, and tells whether it is in the CT logs.

use std::sync::Arc;

use modelwatch::lookup::{self, Answer, Ended, Question, WhyKind};

use super::World;
use crate::world::{MAIL, RELEASE};

async fn ask(world: &World, name: &str) -> Answer {
    let logs = world.logs();
    let question = Question {
        identity: Some(name.to_owned()),
        limit: 10,
        ..Question::default()
    };
    let over = lookup::World {
        store: world.truly(),
        logs: &logs,
        waiting: Vec::new(),
        rules: Arc::clone(&world.rules),
        now: world.now(),
    };
    lookup::from_findings(&question, &over).await.unwrap()
}

/// Why the answer is not complete: the log, the kind, and the sentence.
fn why(answer: &Answer) -> Vec<(&str, WhyKind, &str)> {
    let why = answer.coverage.why.iter();
    why.map(|why| {
        let log = why.log.as_deref().unwrap_or_default();
        (log, why.kind, why.message.as_str())
    })
    .collect()
}

#[tokio::test]
async fn nothing_found_in_a_guided_log_is_no_answer_and_tells_of_its_ct_logs() {
    let world = World::new().await;
    world.good().await;
    let answer = ask(&world, MAIL).await;
    assert_eq!(answer.ended(), Ended::Unanswered);
    let [("v1", WhyKind::Guided, message)] = why(&answer)[..] else {
        panic!("{:?}", answer.coverage)
    };
    let complete = "for certificates the answer is complete in its CT logs ct";
    assert!(message.ends_with(complete), "{message}");
    // No watch selects this name: neither log was compared with it.
    let other = ask(&world, "https://else.example/w").await;
    assert_eq!(other.ended(), Ended::Unanswered);
    let [
        ("ct", WhyKind::NotScanned, _),
        ("v1", WhyKind::Guided, message),
    ] = why(&other)[..]
    else {
        panic!("{:?}", other.coverage)
    };
    let not = "for certificates the answer is not complete in its CT logs ct";
    assert!(message.ends_with(not), "{message}");
    // The newest head of the CT log is old.
    world.clock.advance(2 * 3600 + 1);
    let late = ask(&world, MAIL).await;
    assert_eq!(late.ended(), Ended::Unanswered);
    let [("ct", WhyKind::Behind, _), ("v1", WhyKind::Guided, message)] = why(&late)[..] else {
        panic!("{:?}", late.coverage)
    };
    assert!(message.ends_with(not), "{message}");
}

#[tokio::test]
async fn what_is_found_in_a_guided_log_is_proven_and_still_not_all_of_it() {
    let mut world = World::new().await;
    world.good().await;
    let certificate = world.issue(RELEASE);
    let index = world.sign(&certificate, RELEASE);
    world.good().await;
    let answer = ask(&world, RELEASE).await;
    let places: Vec<(&str, u64)> = answer
        .signings
        .iter()
        .map(|signing| (signing.log.as_str(), signing.index))
        .collect();
    assert_eq!(places, [("ct", 1), ("v1", index)]);
    assert_eq!(answer.ended(), Ended::Found);
    assert!(!answer.coverage.complete);
    let guided = why(&answer)
        .into_iter()
        .any(|(log, kind, _)| (log, kind) == ("v1", WhyKind::Guided));
    assert!(guided, "{:?}", answer.coverage);
}
