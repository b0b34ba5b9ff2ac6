//! Certificate transparency logs: a server with an API, and the recorded log of files.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use modelwatch::source::{
    CtRfc6962, CtStatic, Files, LogSource, SourceError, SourceErrorKind, Transport, leaves,
};
use tlog::{Checkpoint, CompactRange, Hash, KeyName, Origin, Split, Verifier, leaf_hash};

use super::client;
use super::merkle::subproof;
use super::server::{Answer, Request, Server};

fn leaf(index: u64) -> Vec<u8> {
    index.to_be_bytes().to_vec()
}

fn asked(request: &Request, key: &str) -> u64 {
    let (_, query) = request.path.split_once('?').unwrap();
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
        .unwrap()
        .parse()
        .unwrap()
}

/// A log of `size` leaves that answers with 400 to requests for more than `most` entries at once, and whose entries 7
/// and 11 take `long` bytes each.
async fn refusing(size: u64, most: u64, long: usize) -> Server {
    Server::start(move |request| {
        let (start, end) = (asked(request, "start"), asked(request, "end") + 1);
        if end - start > most {
            return Answer::status(400);
        }
        let entries: Vec<String> = (start..end.min(size))
            .map(|index| {
                let leaf = STANDARD.encode(leaf(index));
                let extra = if [7, 11].contains(&index) {
                    "A".repeat(long)
                } else {
                    String::new()
                };
                format!(r#"{{"leaf_input":"{leaf}","extra_data":"{extra}"}}"#)
            })
            .collect();
        Answer::ok(format!(r#"{{"entries":[{}]}}"#, entries.join(",")))
    })
    .await
}

#[tokio::test]
async fn a_batch_that_the_log_refuses_is_requested_in_halves() {
    for (most, requests, again) in [(1000, 1, 1), (300, 2 + 4, 4), (1, 9 + 1000, 1000)] {
        let server = refusing(1000, most, 0).await;
        let log = source(&server);
        for expected in [requests, again] {
            let before = server.requests().len();
            let all = log.leaves(0..1000, 1000).await.unwrap();
            assert_eq!(all.len(), 1000, "{most}");
            assert!(all.iter().all(|(index, bytes)| bytes == leaf(index)));
            // After a refusal, it gets no request for so many again.
            assert_eq!(server.requests().len() - before, expected, "{most}");
        }
    }
    // A log that refuses a single entry is unavailable, and the requests end.
    let server = refusing(1000, 0, 0).await;
    let error = source(&server).leaves(0..1000, 1000).await.unwrap_err();
    assert_eq!(error.kind(), SourceErrorKind::Unavailable);
    assert!(server.requests().len() < 12, "{}", server.requests().len());
}

#[tokio::test]
async fn a_range_with_a_too_long_answer_is_halved_and_a_too_long_single_entry_is_reported() {
    const MEBIBYTE: usize = 1024 * 1024;
    // Both together exceed the limit of one answer.
    let server = refusing(16, 1000, 33 * MEBIBYTE).await;
    let all = source(&server).leaves(0..16, 16).await.unwrap();
    assert_eq!(all.len(), 16);
    let server = refusing(16, 1000, 65 * MEBIBYTE).await;
    let error = source(&server).leaves(0..16, 16).await.unwrap_err();
    assert_eq!(error.kind(), SourceErrorKind::Malformed, "{error}");
    assert!(error.to_string().contains("start=7&end=7"), "{error}");
}

/// A log of `size` leaves that returns at most `most` entries at once; `more` than requested, if it is faulty.
async fn log(size: u64, most: u64, more: u64) -> Server {
    let hashes: Vec<Hash> = (0..size).map(|index| leaf_hash(&leaf(index))).collect();
    Server::start(move |request| {
        if request.path.starts_with("/ct/v1/get-entries?") {
            let (start, end) = (asked(request, "start"), asked(request, "end") + 1);
            let end = end.min(start + most).min(size) + more;
            let entries: Vec<String> = (start..end)
                .map(|index| {
                    let leaf = STANDARD.encode(leaf(index));
                    format!(r#"{{"leaf_input":"{leaf}","extra_data":"AAAA"}}"#)
                })
                .collect();
            return Answer::ok(format!(r#"{{"entries":[{}]}}"#, entries.join(",")));
        }
        if request.path.starts_with("/ct/v1/get-sth-consistency?") {
            let first = usize::try_from(asked(request, "first")).unwrap();
            let second = usize::try_from(asked(request, "second")).unwrap();
            let proof: Vec<String> = subproof(first, &hashes[..second], true)
                .iter()
                .map(|hash| format!("\"{}\"", hash.to_base64()))
                .collect();
            return Answer::ok(format!(r#"{{"consistency":[{}]}}"#, proof.join(",")));
        }
        Answer::status(404)
    })
    .await
}

fn source(server: &Server) -> Arc<CtRfc6962> {
    let location = server.url("").as_str().parse().unwrap();
    Arc::new(CtRfc6962::new(
        Transport::new(location, client(), &Files::default()),
        [0x5a; 32],
    ))
}

#[tokio::test]
async fn a_minute_of_227_certificates_a_second_costs_fewer_requests_than_seconds() {
    const START: u64 = 777;
    const END: u64 = START + 60 * 227;
    let server = log(END, 1000, 0).await;
    let source = source(&server);
    let settings = source.prefetch();
    let mut stream = leaves(source, START..END, END, settings);
    let mut next = START;
    while let Some(batch) = stream.next().await {
        for (index, bytes) in batch.unwrap().iter() {
            assert_eq!((index, bytes), (next, &leaf(index)[..]));
            next += 1;
        }
    }
    assert_eq!(next, END);
    // Thousands that begin at multiples of a thousand: 777..1000, 1000..2000, …, 14000..14397.
    assert_eq!(server.paths().len(), 15);
}

#[tokio::test]
async fn an_answer_with_fewer_entries_is_continued_and_no_entries_or_more_are_refused() {
    let server = log(100, 7, 0).await;
    let all = source(&server).leaves(0..100, 100).await.unwrap();
    assert_eq!((all.start(), all.end()), (0, 100));
    for (index, bytes) in all.iter() {
        assert_eq!(bytes, leaf(index));
        assert_eq!(all.beside(index), Some(&[0; 3][..]));
    }
    assert_eq!(server.paths().len(), 100_usize.div_ceil(7));
    for (most, more) in [(0, 0), (100, 1)] {
        let server = log(100, most, more).await;
        let refused = source(&server).leaves(10..20, 100).await;
        assert!(
            matches!(refused, Err(SourceError::Malformed { .. })),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn a_log_that_gives_its_entries_one_by_one_is_read_and_costs_it_more_than_us() {
    let server = log(1000, 1, 0).await;
    let all = source(&server).leaves(0..1000, 1000).await.unwrap();
    assert_eq!(all.len(), 1000);
    for (index, bytes) in all.iter() {
        assert_eq!(bytes, leaf(index));
    }
}

#[tokio::test]
async fn answers_that_are_too_long_together_are_refused_as_one_would_be() {
    let server = log(100, 10, 0).await;
    // Ten entries are some 500 bytes: the first answers fit, all of them do not.
    let refused = source(&server).leaves_within(0..100, 100, 2000).await;
    assert!(
        matches!(
            refused,
            Err(SourceError::TooLarge {
                limit_bytes: 2000,
                ..
            })
        ),
        "{refused:?}"
    );
    assert!(server.paths().len() < 6);
    // A leaf as long as no certificate is.
    let huge = format!(
        r#"{{"entries":[{{"leaf_input":"{}"}}]}}"#,
        "A".repeat(66 * 1024 * 1024)
    );
    let server = Server::start(move |_| Answer::ok(huge.clone())).await;
    let refused = source(&server).leaves(0..1, 1).await;
    assert!(
        matches!(refused, Err(SourceError::TooLarge { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn proofs_of_another_length_or_of_no_hashes_are_malformed() {
    for answer in [
        r#"{"consistency":[]}"#.to_owned(),
        format!(r#"{{"consistency":[{}]}}"#, [r#""AAAA""#; 4].join(",")),
        format!(r#"{{"consistency":[{}]}}"#, [r#""""#; 100].join(",")),
        r#"{"consistency":{}}"#.to_owned(),
        "[".repeat(10_000),
    ] {
        let server = Server::start(move |_| Answer::ok(answer.clone())).await;
        let refused = source(&server).split(6, 7).await;
        assert!(
            matches!(refused, Err(SourceError::Malformed { .. })),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn every_tree_can_be_cut_anywhere_by_consistency_proofs() {
    let server = log(40, 1000, 0).await;
    let source = source(&server);
    let mut frontiers = vec![CompactRange::new()];
    for index in 0..40 {
        let mut next = frontiers.last().unwrap().clone();
        next.push(leaf_hash(&leaf(index)));
        frontiers.push(next);
    }
    for (size, whole) in (0_u64..).zip(&frontiers) {
        for (at, part) in (0..=size).zip(&frontiers) {
            let split: Split = source.split(at, size).await.unwrap();
            assert_eq!(split.frontier(), *part, "{at} of {size}");
            assert_eq!(split.root(), whole.root(), "{at} of {size}");
        }
    }
}

#[tokio::test]
async fn a_tree_head_becomes_a_note_and_anything_else_is_handed_on() {
    let head = include_str!("../data/ct-small/get-sth.json");
    let log = |pem: &[u8]| modelwatch::identity::CtLog {
        spki_der: x509_parser::pem::parse_x509_pem(pem).unwrap().1.contents,
        valid_for: (None, None),
    };
    let this = log(include_bytes!("../data/ct-small/rfc6962.pub.pem"));
    let other = log(include_bytes!("../data/ct-small/static.pub.pem"));
    let open = async |log: &modelwatch::identity::CtLog, answer: &str| {
        let id = hex::encode(log.id());
        let verifier = Verifier::tree_head(KeyName::new(&id).unwrap(), &log.spki_der).unwrap();
        let origin = Origin::new(&id).unwrap();
        let answer = answer.to_owned();
        let server = Server::start(move |_| Answer::ok(answer.clone())).await;
        let location = server.url("").as_str().parse().unwrap();
        let source = CtRfc6962::new(
            Transport::new(location, client(), &Files::default()),
            log.id(),
        );
        let raw = source.checkpoint().await.unwrap();
        assert_eq!(server.paths(), ["/ct/v1/get-sth"]);
        Checkpoint::open(&raw, &origin, &[verifier]).ok()
    };
    let checkpoint = open(&this, head).await.unwrap();
    assert_eq!(open(&other, head).await, None, "the head of another log");
    assert_eq!(checkpoint.size(), 2009);
    assert_eq!(checkpoint.timestamp(), Some(1_795_247_405_392));
    for wrong in [
        head.replace("2009", "2010"),
        head.replace("1795247405392", "1795247405393"),
        head.replace("ZCQg", "ZCQh"),
        head.replace("tree_size", "size"),
        "{}".to_owned(),
        String::new(),
    ] {
        assert_ne!(wrong, head);
        assert_eq!(open(&this, &wrong).await, None, "{wrong}");
    }
}

#[tokio::test]
async fn the_files_of_a_static_log_hash_to_what_it_signed() {
    let recording = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/ct-small/static");
    let location = recording.to_str().unwrap().parse().unwrap();
    let source = CtStatic::new(Transport::new(location, client(), &Files::default()));
    let text = String::from_utf8(source.checkpoint().await.unwrap().to_vec()).unwrap();
    let signed = Hash::from_base64(text.lines().nth(2).unwrap()).unwrap();
    let split = source.split(1792, 1978).await.unwrap();
    assert_eq!(split.root(), signed);
    let mut frontier = split.frontier();
    // A partial tile, and of it first one part, then the rest.
    assert_eq!(source.bundle(1800, 1978), 1792..1978);
    for want in [1792..1900, 1900..1978] {
        for (_, leaf) in source.leaves(want, 1978).await.unwrap().iter() {
            frontier.push(leaf_hash(leaf));
        }
    }
    assert_eq!(frontier.root(), signed);
    // A tile that is not in this part of the recording.
    assert!(matches!(
        source.leaves(0..256, 1978).await,
        Err(SourceError::Absent { resource, .. }) if resource == "tile/data/000"
    ));
}

#[tokio::test]
async fn a_partial_tile_that_was_replaced_by_the_full_one_is_cut_from_it() {
    let tile = include_bytes!("../data/ct-small/static/tile/data/007.p/186");
    // The first 70 entries of it again: a full tile of 256.
    let part = modelwatch::source::ct::data_tile(&tile[..].into(), 0, 186).unwrap();
    let seventy: usize = part
        .iter()
        .take(70)
        .map(|(index, leaf)| leaf.len() - 2 + part.beside(index).unwrap().len())
        .sum();
    let full = [&tile[..], &tile[..seventy]].concat();
    let server = Server::start(move |request| match request.path.as_str() {
        "/tile/data/007" => Answer::ok(full.clone()),
        _ => Answer::status(404),
    })
    .await;
    let location = server.url("").as_str().parse().unwrap();
    let source = CtStatic::new(Transport::new(location, client(), &Files::default()));
    let leaves = source.leaves(1792..1978, 1978).await.unwrap();
    assert!(
        leaves
            .iter()
            .map(|(_, l)| l)
            .eq(part.iter().map(|(_, l)| l))
    );
}
