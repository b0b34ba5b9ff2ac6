//! Entries that programs parse differently: they hide no signer, cause no false claim, and cannot cause a flood of
//! alerts.

use modelwatch::finding::{Finding, Severity};
use modelwatch::store::QueuedKind;
use serde_json::{Value, json};

use crate::world::{Leaf, Signer, World, recorded, unreadable};

/// Entries that a real Rekor accepted: each contains the certificate of a watched workflow where only some parsers find
/// it.
fn broken_blocks() -> Vec<Leaf> {
    let rows = include_str!("../data/entries/pem-blocks.jsonl").lines();
    rows.map(|row| {
        let row: Value = serde_json::from_str(row).unwrap();
        Leaf::of_bytes(row["leaf"].as_str().unwrap().as_bytes().to_vec())
    })
    .collect()
}

fn is_of_harbor(finding: &Finding) -> bool {
    finding.watch.as_deref() == Some("harbor")
        && finding.severity == Severity::High
        && finding.chain.is_none()
}

#[tokio::test]
async fn a_signer_that_only_some_parsers_find_is_unreadable_for_its_watch_and_alerted_once_a_day() {
    let mut world = World::new().await;
    world.log().grow(broken_blocks());
    world.good_step().await;
    let reported = world.of("unreadable").await;
    assert_eq!(reported.len(), 3);
    assert!(reported.iter().all(is_of_harbor), "{reported:?}");
    for finding in &reported {
        let name = &finding.san[0].value;
        assert!(name.starts_with("https://github.com/harbor-ml-example/falcon/"));
        assert!(finding.certificate_sha256.is_some() && finding.key_sha256.is_some());
    }
    assert_eq!(world.findings().await.len(), 3, "nothing else of them");
    let [sent] = world.delivered(reported[0].id)[..] else {
        panic!("once on its channel");
    };
    assert_eq!((sent.kind, sent.findings.len()), (QueuedKind::Alert, 3));

    // An attacker continues all day.
    for _ in 0..3 {
        world.clock.advance(3600);
        world.log().grow(broken_blocks());
        world.good_step().await;
    }
    let later = world.of("unreadable").await.split_off(3);
    assert_eq!(later.len(), 9);
    assert!(
        later
            .iter()
            .all(|finding| world.delivered(finding.id).is_empty())
    );
    // Another watch's is another alert.
    world.log().grow([hidden(Signer::Mail)]);
    world.good_step().await;
    let mail = world.of("unreadable").await.pop().unwrap();
    assert_eq!(mail.watch.as_deref(), Some("mail"));
    assert_eq!(world.delivered(mail.id)[0].findings.len(), 1);

    world.clock.advance(22 * 3600);
    world.good_step().await;
    let sent = world.delivered(later[0].id);
    assert_eq!((sent.len(), sent[0].findings.len()), (1, 9));
    // The next day has its own alert.
    world.clock.advance(24 * 3600);
    world.log().grow(broken_blocks());
    world.good_step().await;
    let next = world.of("unreadable").await;
    assert_eq!(world.delivered(next.last().unwrap().id).len(), 1);
}

/// An entry by an attacker with a second `spec`, in another case, with this signer.
fn hidden(signer: Signer) -> Leaf {
    let spec = |leaf: &Leaf| -> Value {
        let mut entry: Value = serde_json::from_slice(&leaf.bytes).unwrap();
        entry["spec"].take()
    };
    let unknown_issuer = Signer::UnknownIssuer.signs(0);
    let text = String::from_utf8(unknown_issuer.bytes.to_vec()).unwrap();
    let member = format!(r#""Spec":{},"spec":"#, spec(&signer.signs(1)));
    Leaf::of_bytes(text.replacen(r#""spec":"#, &member, 1).into_bytes())
}

#[tokio::test]
async fn members_in_another_case_hide_no_signer() {
    let mut world = World::new().await;
    world
        .log()
        .grow([hidden(Signer::Release), hidden(Signer::UnknownIssuer)]);
    world.good_step().await;
    let reported = world.of("unreadable").await;
    let watches: Vec<_> = reported
        .iter()
        .map(|f| (f.index, f.watch.as_deref()))
        .collect();
    assert_eq!(
        watches,
        [(Some(0), Some("release")), (Some(0), Some("scope"))]
    );
    assert_eq!(world.findings().await.len(), 2);
}

#[tokio::test]
async fn no_limit_hides_a_name() {
    let [.., watched] = &broken_blocks()[..] else {
        panic!("some")
    };
    let mut entry: Value = serde_json::from_slice(&watched.bytes).unwrap();
    let signature = entry["spec"]["content"]["envelope"]["signatures"][0].take();
    // A malformed key has an ordinal as well.
    let mut signatures = vec![json!({"publicKey": "AAAA", "sig": "QUFBQQ=="}); 1030];
    signatures.push(signature);
    entry["spec"]["content"]["envelope"]["signatures"] = json!(signatures);
    let mut world = World::new().await;
    world
        .log()
        .grow([Leaf::of_bytes(entry.to_string().into_bytes())]);
    world.good_step().await;
    let reported = world.findings().await;
    assert_eq!(reported.len(), 1);
    assert!(is_of_harbor(&reported[0]), "{reported:?}");
}

#[tokio::test]
async fn an_unreadable_entry_without_a_watch_stays_low_and_is_in_the_digest() {
    let mut world = World::new().await;
    let leaf = &recorded()[0].bytes;
    world.log().grow([
        unreadable(0),
        Leaf::of_bytes(leaf[..leaf.len() / 3].to_vec()),
    ]);
    world.good_step().await;
    let reported = world.of("unreadable").await;
    assert!(
        reported
            .iter()
            .all(|f| f.severity == Severity::Low && f.watch.is_none())
    );
    assert!(reported.iter().all(|f| world.delivered(f.id).is_empty()));
}
