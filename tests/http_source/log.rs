//! The recorded log, from a directory and from a server.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::StreamExt;
use modelwatch::source::{
    Files, Leaves, LogSource, Prefetch, RekorV2, SourceError, SourceErrorKind, Transport, leaves,
};
use tempfile::TempDir;
use tlog::{CompactRange, Hash, leaf_hash};

use super::client;
use super::server::{Answer, Server};

const SIZE: u64 = 266;
/// Sizes of which the log signed a checkpoint.
const RECORDED: [u64; 8] = [40, 128, 129, 145, 161, 255, 256, 266];

fn recording() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/v2-small")
}

fn source_of(location: &str) -> RekorV2 {
    RekorV2::new(Transport::new(
        location.parse().unwrap(),
        client(),
        &Files::default(),
    ))
}

fn recorded() -> RekorV2 {
    source_of(recording().to_str().unwrap())
}

/// A copy of the recording that a test may damage.
fn copy() -> (TempDir, RekorV2) {
    fn tree(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            let target = to.join(entry.file_name());
            if entry.path().is_dir() {
                tree(&entry.path(), &target);
            } else {
                fs::copy(entry.path(), target).unwrap();
            }
        }
    }
    let dir = tempfile::tempdir().unwrap();
    tree(&recording(), dir.path());
    let source = source_of(&format!("file://{}", dir.path().display()));
    (dir, source)
}

/// Serves the recording below `/log/` plus `prefix`.
async fn server(prefix: &'static str) -> Server {
    Server::start(move |request| {
        let file = request
            .path
            .strip_prefix("/log/")
            .and_then(|path| path.strip_prefix(prefix))
            .map(|path| recording().join(path));
        match file.filter(|file| file.is_file()) {
            Some(file) => Answer::ok(fs::read(file).unwrap()),
            None => Answer::status(404),
        }
    })
    .await
}

fn signed_root(note: &[u8]) -> Hash {
    let text = std::str::from_utf8(note).unwrap();
    Hash::from_base64(text.lines().nth(2).unwrap()).unwrap()
}

/// The root of the first `n` leaves at index `n`, by hashing every leaf.
async fn roots(source: RekorV2, size: u64) -> Vec<Hash> {
    let mut range = CompactRange::new();
    let mut roots = vec![range.root()];
    let mut stream = leaves(Arc::new(source), 0..size, size, Prefetch::default());
    while let Some(bundle) = stream.next().await {
        for (index, leaf) in bundle.unwrap().iter() {
            assert_eq!(index, range.size());
            range.push(leaf_hash(leaf));
            roots.push(range.root());
        }
    }
    roots
}

#[tokio::test]
async fn every_leaf_is_read_and_hashes_to_what_the_log_signed() {
    for prefix in ["", "api/v2/"] {
        let server = server(prefix).await;
        let over_http = source_of(server.url("log").as_str());
        for source in [recorded(), over_http] {
            let roots = roots(source, SIZE).await;
            for size in RECORDED {
                let note = fs::read(recording().join(format!("checkpoints/{size}"))).unwrap();
                assert_eq!(
                    roots[usize::try_from(size).unwrap()],
                    signed_root(&note),
                    "{size}"
                );
            }
        }
    }
}

#[tokio::test]
async fn hash_tiles_give_the_frontier_and_the_root_at_every_cut_of_every_tree() {
    let source = recorded();
    let roots = roots(recorded(), SIZE).await;
    for size in RECORDED.into_iter().chain([0, 1, 2, 254, 257]) {
        for at in 0..=size {
            let split = source.split(at, size).await.unwrap();
            assert_eq!(
                split.root(),
                roots[usize::try_from(size).unwrap()],
                "{at} of {size}"
            );
            assert_eq!(
                split.root_at(),
                roots[usize::try_from(at).unwrap()],
                "{at} of {size}"
            );
            assert_eq!(split.frontier().size(), at);
        }
    }
    let beyond = source.split(11, 10).await;
    assert!(matches!(beyond, Err(SourceError::OutOfRange { .. })));
}

#[tokio::test]
async fn the_prefix_is_found_once_and_used_until_it_no_longer_works() {
    let bare = server("").await;
    let source = source_of(bare.url("log/").as_str());
    // For any first request.
    source.leaves(256..266, SIZE).await.unwrap();
    source.checkpoint().await.unwrap();
    assert_eq!(
        bare.paths(),
        [
            "/log/api/v2/checkpoint",
            "/log/checkpoint",
            "/log/tile/entries/001.p/10",
            "/log/checkpoint",
        ]
    );
    let (dir, source) = copy();
    let before = source.checkpoint().await.unwrap();
    fs::create_dir_all(dir.path().join("api")).unwrap();
    let moved = dir.path().join("api/v2");
    fs::create_dir(&moved).unwrap();
    for name in ["checkpoint", "tile"] {
        fs::rename(dir.path().join(name), moved.join(name)).unwrap();
    }
    assert_eq!(source.checkpoint().await.unwrap(), before);
    source.leaves(0..256, SIZE).await.unwrap();
}

#[tokio::test]
async fn a_bucket_that_forbids_absent_files_is_found_nevertheless() {
    let server = Server::start(|request| match request.path.as_str() {
        "/checkpoint" => Answer::ok("a note"),
        _ => Answer::status(403),
    })
    .await;
    let source = source_of(server.url.as_str());
    assert_eq!(source.checkpoint().await.unwrap(), "a note");
    // But forbidden is not absent.
    let leaves = source.leaves(0..1, 1).await;
    assert!(
        matches!(leaves, Err(SourceError::Unavailable { .. })),
        "{leaves:?}"
    );
}

#[tokio::test]
async fn a_checkpoint_is_returned_with_any_content_unless_it_is_too_long() {
    let (dir, source) = copy();
    let path = dir.path().join("checkpoint");
    for content in [&b""[..], b"<html>", b"\xff\x00"] {
        fs::write(&path, content).unwrap();
        assert_eq!(source.checkpoint().await.unwrap(), content);
    }
    fs::write(&path, vec![b'x'; 6_000_000]).unwrap();
    let error = source.checkpoint().await.unwrap_err();
    assert!(
        matches!(error, SourceError::CheckpointTooLong { .. }),
        "{error:?}"
    );
    assert_eq!(error.kind(), SourceErrorKind::UnverifiableCheckpoint);
    fs::remove_file(&path).unwrap();
    let error = source.checkpoint().await.unwrap_err();
    assert!(matches!(error, SourceError::Absent { .. }), "{error:?}");
    assert_eq!(error.kind(), SourceErrorKind::Unavailable);
}

#[tokio::test]
async fn a_partial_bundle_that_the_log_has_replaced_is_cut_from_the_full_one() {
    let server = server("").await;
    let source = source_of(server.url("log/").as_str());
    let whole = source.leaves(0..256, SIZE).await.unwrap();
    for (want, size) in [(0..255, 255), (7..9, 9), (130..145, 145), (0..1, 1)] {
        let part = source.leaves(want.clone(), size).await.unwrap();
        assert_eq!((part.start(), part.end()), (want.start, want.end));
        assert!(part.iter().eq(whole.clone().within(&want).iter()));
    }
    let asked = server.paths();
    assert!(asked.ends_with(&[
        "/log/tile/entries/000.p/1".to_owned(),
        "/log/tile/entries/000".to_owned()
    ]));
}

#[tokio::test]
async fn what_is_no_bundle_of_that_size_is_malformed() {
    let (dir, source) = copy();
    let path = dir.path().join("tile/entries/000");
    let good = fs::read(&path).unwrap();
    let first = 2 + usize::from(u16::from_be_bytes([good[0], good[1]]));
    for (what, content) in [
        ("cut", good[..good.len() - 1].to_vec()),
        ("one entry short", good[first..].to_vec()),
        ("one entry long", [&good[..], &good[..first]].concat()),
        ("empty", Vec::new()),
        ("html", b"<html><body>Not found</body></html>".to_vec()),
        ("longer than any bundle", vec![0; 256 * (2 + 65_535) + 1]),
    ] {
        fs::write(&path, content).unwrap();
        // As itself, and in the place of a partial one.
        for size in [SIZE, 255] {
            let error = source.leaves(0..10, size).await.unwrap_err();
            assert_eq!(error.kind(), SourceErrorKind::Malformed, "{what}: {error}");
        }
    }
    fs::remove_file(&path).unwrap();
    let error = source.leaves(0..10, SIZE).await.unwrap_err();
    assert!(matches!(error, SourceError::Absent { .. }), "{error:?}");
}

#[tokio::test]
async fn a_tile_of_the_wrong_length_is_malformed() {
    let (dir, source) = copy();
    let path = dir.path().join("tile/0/000");
    for length in [0, 31, 8160, 8191, 8193] {
        fs::write(&path, vec![7; length]).unwrap();
        for size in [SIZE, 255] {
            let error = source.split(100, size).await.unwrap_err();
            assert_eq!(
                error.kind(),
                SourceErrorKind::Malformed,
                "{length}: {error}"
            );
        }
    }
}

#[tokio::test]
async fn leaves_of_two_bundles_or_beyond_the_tree_are_not_requested() {
    let source = recorded();
    #[expect(clippy::reversed_empty_ranges, reason = "what is wrong with it")]
    for want in [
        0..257,
        255..257,
        256..267,
        266..267,
        5..5,
        9..3,
        u64::MAX..0,
    ] {
        let leaves = source.leaves(want.clone(), SIZE).await;
        assert!(
            matches!(leaves, Err(SourceError::OutOfRange { .. })),
            "{want:?}"
        );
    }
    assert_eq!(source.bundle(3, SIZE), 0..256);
    assert_eq!(source.bundle(256, SIZE), 256..266);
    assert_eq!(source.bundle(3, 9), 0..9);
}

#[tokio::test]
async fn a_bundle_is_given_up_at_the_limit_of_its_reader() {
    let source = recorded();
    let whole = source.leaves(0..256, SIZE).await.unwrap();
    let limit = whole.size_bytes();
    assert!(source.leaves_within(0..256, SIZE, limit).await.is_ok());
    let leaves = source.leaves_within(0..256, SIZE, 100_000).await;
    assert!(
        matches!(leaves, Err(SourceError::TooLarge { .. })),
        "{leaves:?}"
    );
}

#[tokio::test]
async fn a_log_that_claims_2_to_the_62_leaves_fails_in_bounded_time() {
    let source: Arc<dyn LogSource> = Arc::new(recorded());
    let size = 1 << 62;
    let items: Vec<Result<Leaves, _>> = leaves(source.clone(), 0..size, size, Prefetch::default())
        .collect()
        .await;
    assert!(matches!(
        items.last(),
        Some(Err(SourceError::Absent { .. }))
    ));
    assert!(items.len() < 3);
    let split = source.split(size / 3, size).await;
    assert!(
        matches!(split, Err(SourceError::Absent { .. })),
        "{split:?}"
    );
}

#[tokio::test]
async fn an_empty_log_needs_no_request() {
    let source: Arc<dyn LogSource> = Arc::new(recorded());
    let mut stream = leaves(source.clone(), 0..0, 0, Prefetch::default());
    assert!(stream.next().await.is_none());
    let split = source.split(0, 0).await.unwrap();
    assert_eq!(split.root(), tlog::empty_root());
}

#[cfg(unix)]
#[tokio::test]
async fn a_pipe_in_the_place_of_a_bundle_does_not_hang_the_reader() {
    let (dir, source) = copy();
    let path = dir.path().join("tile/entries/000");
    fs::remove_file(&path).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    let leaves = source.leaves(0..1, SIZE).await;
    assert!(
        matches!(leaves, Err(SourceError::Unavailable { .. })),
        "{leaves:?}"
    );
}

#[tokio::test]
async fn the_pause_that_a_log_requests_is_reported() {
    let server = Server::start(|_| Answer::status(503).with("Retry-After: 900")).await;
    let error = source_of(server.url.as_str())
        .checkpoint()
        .await
        .unwrap_err();
    let SourceError::RateLimited { retry_after, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(retry_after.as_secs(), 900);
    assert_eq!(error.kind(), SourceErrorKind::Unavailable);
}

#[tokio::test]
async fn a_log_that_limits_requests_is_distinguished_from_one_that_is_broken() {
    for (answer, limited) in [
        (429, true),
        // With a time to wait or without one.
        (430, true),
        (503, false),
        (500, false),
    ] {
        let server = Server::start(move |_| match answer {
            430 => Answer::status(429).with("Retry-After: 3600"),
            503 => Answer::status(503).with("Retry-After: 3600"),
            status => Answer::status(status),
        })
        .await;
        let error = source_of(server.url.as_str())
            .checkpoint()
            .await
            .unwrap_err();
        assert_eq!(error.is_rate_limit(), limited, "{answer}: {error}");
        assert_eq!(error.kind(), SourceErrorKind::Unavailable);
    }
}

#[tokio::test]
async fn the_time_of_the_server_is_known_after_an_answer() {
    let date = "Date: Sun, 06 Nov 1994 08:49:37 GMT";
    let server = Server::start(move |_| Answer::status(404).with(date)).await;
    let source = source_of(server.url.as_str());
    assert_eq!(source.date(), None);
    assert!(source.checkpoint().await.is_err());
    let reported = source.date().unwrap();
    assert!(reported.host.starts_with("127.0.0.1:"), "{}", reported.host);
    assert!(
        reported.now.to_string().starts_with("1994-11-06T08:49"),
        "{}",
        reported.now
    );
    assert_eq!(recorded().date(), None, "a directory has no clock");
}
