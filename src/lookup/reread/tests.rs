#![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

use tlog::{Origin, leaf_hash};

use super::*;
use crate::log::{LogId, Protocol, Shard, Start};
use crate::lookup::question::{DigestIs, Question};
use crate::source::Memory;
use crate::watch::Watches;

/// The entry of the demo's release.
fn release() -> Vec<u8> {
    use base64::Engine as _;
    let bundle: serde_json::Value =
        serde_json::from_slice(include_bytes!("../../cli/demo/falcon-7b.model.sig")).unwrap();
    let body = &bundle["verificationMaterial"]["tlogEntries"][0]["canonicalizedBody"];
    base64::engine::general_purpose::STANDARD
        .decode(body.as_str().unwrap())
        .unwrap()
}

/// Ten leaves, of which numbers 2 and 9 are the release; the others cannot be read.
fn honest() -> Memory {
    let mut leaves: Vec<Vec<u8>> = (0..10_u8).map(|index| vec![b'0' + index]).collect();
    leaves[2] = release();
    leaves[9] = release();
    Memory::honest(leaves)
}

fn head(memory: &Memory) -> Head {
    let mut range = CompactRange::new();
    for leaf in &memory.hashed {
        range.push(leaf_hash(leaf));
    }
    Head {
        size: range.size(),
        root: range.root(),
        note: Vec::new().into(),
    }
}

fn log(memory: &Memory) -> Log {
    let shard = Shard {
        name: "main".to_owned(),
        log: LogId::new("log.example"),
        origin: Origin::new("log.example").unwrap(),
        label: None,
        protocol: Protocol::RekorV2,
        base: 0,
        ended: false,
        verifiers: Vec::new(),
        promise_keys: Vec::new(),
        start: Start::Beginning,
        silence_after: None,
        rollback_after: Duration::ZERO,
    };
    Log {
        shard: Arc::new(shard),
        source: Arc::new(memory.clone()),
    }
}

/// Who signed the release.
fn question() -> Question {
    Question {
        identity: Some("https://github.com/harbor-ml-example/falcon/.github/workflows/release.yml@refs/tags/v1.1.0".to_owned()),
        limit: 100,
        ..Question::default()
    }
}

async fn run(
    question: &Question,
    memory: &Memory,
    head: &Head,
    range: Range<u64>,
    saved: Option<SavedTree>,
) -> (Read, SavedTree) {
    let (progress, stop) = (Progress::default(), Stop::default());
    let reading = Reading {
        matcher: Arc::new(Matcher::new(question).unwrap()),
        rules: Arc::new(Rules::new(Watches::compile(Vec::new()).unwrap(), None)),
        reader: LeafReader::default(),
        progress: &progress,
        stop: &stop,
    };
    let log = log(memory);
    let task = Task {
        log: &log,
        range,
        head: head.clone(),
        saved,
    };
    let mut last = None;
    let read = reading.read(&task, &mut |saved| last = Some(saved)).await;
    let none = SavedTree {
        start: 0,
        reached: 0,
        root: String::new(),
        entries: Vec::new(),
    };
    (read, last.unwrap_or(none))
}

fn hits(read: &Read) -> Vec<u64> {
    read.hits.iter().map(|hit| hit.local).collect()
}

#[tokio::test]
async fn every_range_of_an_honest_log_is_proven() {
    let memory = honest();
    for start in 0..10 {
        for end in (start + 1)..=10 {
            // A range ends with a bundle or with the tree.
            if end % 4 != 0 && end != 10 {
                continue;
            }
            let (read, saved) = run(&question(), &memory, &head(&memory), start..end, None).await;
            assert_eq!(read.failed, None, "{start}..{end}");
            assert!(read.is_proven && read.range == (start..end));
            let expected: Vec<u64> = [2, 9]
                .into_iter()
                .filter(|i| (start..end).contains(i))
                .collect();
            assert_eq!(hits(&read), expected);
            assert_eq!((saved.reached, &saved.entries), (end, &expected));
        }
    }
}

#[tokio::test]
async fn a_swapped_or_missing_leaf_proves_nothing() {
    let signed = head(&honest());
    for swapped in 0..10 {
        let mut served = honest();
        served.leaves[swapped] = release();
        let is_other = served.leaves[swapped] != served.hashed[swapped];
        let mut hashed = served.clone();
        hashed.hashed[swapped] = release();
        for liar in [served, hashed] {
            let (read, _) = run(&question(), &liar, &signed, 0..10, None).await;
            assert_eq!(read.is_proven, !is_other, "{swapped}");
            assert_eq!(read.failed.is_some(), is_other, "{swapped}");
        }
    }
    // What was read before the log stopped answering is proven, and no more.
    let cut = Memory {
        ends_at: 7,
        ..honest()
    };
    let (read, _) = run(&question(), &cut, &signed, 0..10, None).await;
    assert_eq!((read.range.clone(), read.is_proven), (0..4, true));
    assert!(read.failed.unwrap().contains("cut off"));
}

#[tokio::test]
async fn a_scan_goes_on_where_it_was_if_the_log_begins_with_what_was_read() {
    let signed = head(&honest());
    let cut = Memory {
        ends_at: 8,
        ..honest()
    };
    let (read, saved) = run(&question(), &cut, &signed, 0..10, None).await;
    assert_eq!((hits(&read), saved.reached), (vec![2], 8));
    // What was read before is not requested again, except the bundle of what was found.
    let mut rest = honest();
    rest.leaves[5] = b"never requested".to_vec();
    let (read, _) = run(&question(), &rest, &signed, 0..10, Some(saved.clone())).await;
    assert_eq!(read.failed, None);
    assert_eq!(
        (hits(&read), read.range, read.is_proven),
        (vec![2, 9], 0..10, true)
    );
    // A swapped hit is not believed.
    let mut swapped = honest();
    swapped.leaves[3] = release();
    let (read, _) = run(&question(), &swapped, &signed, 0..10, Some(saved.clone())).await;
    assert!(read.failed.is_some() && !read.is_proven && read.range.is_empty());
    // Another tree, or a file that was changed: all of it is read again.
    for other in [
        SavedTree {
            root: "00".repeat(32),
            ..saved.clone()
        },
        SavedTree {
            reached: 7,
            ..saved.clone()
        },
        SavedTree {
            reached: 99,
            ..saved.clone()
        },
        SavedTree { start: 4, ..saved },
    ] {
        let (read, _) = run(&question(), &honest(), &signed, 0..10, Some(other)).await;
        assert_eq!(
            (hits(&read), read.failed, read.range),
            (vec![2, 9], None, 0..10)
        );
    }
}

#[tokio::test]
async fn reading_ends_when_there_are_enough_signings() {
    let memory = honest();
    let one = Question {
        limit: 0,
        ..question()
    };
    let (read, _) = run(&one, &memory, &head(&memory), 0..10, None).await;
    assert!(read.is_cut && read.is_proven);
    assert_eq!(read.range, 0..4);
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_is_named_if_it_may_hold_what_is_asked_for() {
    let mut memory = honest();
    let digest = "ab".repeat(32);
    memory.leaves[5] = format!("{{\"name\":\"HTTPS://github.com/harbor-ml-example/falcon/.github/workflows/release.yml@refs/tags/v1.1.0\",\"hash\":\"{digest}\"").into_bytes();
    memory.hashed = memory.leaves.clone();
    let signed = head(&memory);
    let of_digest = Question {
        digests: vec![DigestIs::parse(&digest).unwrap()],
        limit: 9,
        ..Question::default()
    };
    let both = Question {
        digests: of_digest.digests.clone(),
        ..question()
    };
    let neither = Question {
        digests: vec![DigestIs::parse(&"cd".repeat(32)).unwrap()],
        ..question()
    };
    for (question, expected) in [(question(), 1), (of_digest, 1), (both, 1), (neither, 0)] {
        let (read, _) = run(&question, &memory, &signed, 0..10, None).await;
        let suspects: Vec<u64> = read.suspects.iter().map(|suspect| suspect.local).collect();
        assert_eq!(suspects, vec![5; expected], "{question:?}");
    }
}
