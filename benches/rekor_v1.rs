//! How fast a Rekor v1 log is read in full when each answer takes 220 ms, as the public one's do: without a limit, and at
//! one of requests per minute, of which it should use nearly all.
//!
//! `cargo bench --bench rekor_v1`. A server of this process serves 20,000 entries made of recorded ones
//! (`MODELWATCH_BENCH_ENTRIES`), ten a request; the limit is 6,000 requests a minute (`MODELWATCH_BENCH_LIMIT`).

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use modelwatch::clock::SystemClock;
use modelwatch::finding::Routes;
use modelwatch::http::{self, Pace};
use modelwatch::monitor::{Followed, Monitor, Progress, RekorV1Log, Rules, Stop};
use modelwatch::shard::Start;
use modelwatch::source::rekor_v1::Client;
use modelwatch::store::Settings;
use modelwatch::store::sqlite::SqliteStore;
use modelwatch::watch::Watches;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tlog::{CompactRange, leaf_hash};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What an answer of the public log takes.
const LATENCY: Duration = Duration::from_millis(220);

const LEAVES: &str = include_str!("../tests/data/entries/rekor-v1.jsonl");

/// A log of one tree.
struct Server {
    log: String,
    /// One JSON object each.
    entries: Vec<String>,
    spki: Vec<u8>,
    requests: AtomicUsize,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
}

impl Server {
    fn new(size: usize) -> Self {
        let leaves: Vec<String> = LEAVES
            .lines()
            .filter_map(|line| {
                let line: Value = serde_json::from_str(line).ok()?;
                line["leaf"].as_str().map(str::to_owned)
            })
            .collect();
        let mut tree = CompactRange::new();
        let mut entries = Vec::with_capacity(size);
        for (index, leaf) in leaves.iter().cycle().take(size).enumerate() {
            let hash = leaf_hash(leaf.as_bytes());
            tree.push(hash);
            let id = format!("{:016x}{}", 7, hash.to_hex());
            // As long a path as the public log's, which costs the reader what it costs there.
            let path = vec![hash.to_hex(); 28];
            let entry = json!({ id: {
                "body": STANDARD.encode(leaf), "integratedTime": 1, "logID": "00", "logIndex": index,
                "verification": {"inclusionProof": {
                    "hashes": path, "logIndex": index, "treeSize": size, "rootHash": hash.to_hex(),
                    "checkpoint": "rekor.bench - 7\n1\nAA==\n",
                }, "signedEntryTimestamp": STANDARD.encode([0; 71])},
            }});
            entries.push(entry.to_string());
        }
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
        // RFC 5480: the SubjectPublicKeyInfo of a P-256 key is this prefix and the uncompressed point.
        let prefix = hex::decode("3059301306072a8648ce3d020106082a8648ce3d030107034200");
        let mut spki = prefix.expect("hex");
        spki.extend_from_slice(key.public_key().as_ref());
        let text = format!("rekor.bench - 7\n{size}\n{}\n", tree.root().to_base64());
        let signature = key.sign(&SystemRandom::new(), text.as_bytes());
        let hint = Sha256::digest(&spki);
        let line = [&hint[..4], signature.expect("a signature").as_ref()].concat();
        let note = format!("{text}\n\u{2014} rekor.bench {}\n", STANDARD.encode(line));
        let log = json!({ "treeID": "7", "treeSize": size, "signedTreeHead": note });
        Self {
            log: log.to_string(),
            entries,
            spki,
            requests: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            most_in_flight: AtomicUsize::new(0),
        }
    }

    fn answer(&self, path: &str, body: &[u8]) -> String {
        if path == "/api/v1/log" {
            return self.log.clone();
        }
        let question: Value = serde_json::from_slice(body).expect("JSON");
        let asked = question["logIndexes"].as_array().expect("a list");
        let entries: Vec<&str> = asked
            .iter()
            .filter_map(|index| usize::try_from(index.as_u64()?).ok())
            .filter_map(|index| self.entries.get(index))
            .map(String::as_str)
            .collect();
        format!("[{}]", entries.join(","))
    }

    /// Answers on one connection until the reader closes it.
    async fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let (mut path, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                if stream.read_line(&mut line).await? == 0 {
                    return Ok(());
                }
                if line == "\r\n" {
                    break;
                }
                let lower = line.to_ascii_lowercase();
                if path.is_empty() {
                    line.split(' ')
                        .nth(1)
                        .unwrap_or_default()
                        .clone_into(&mut path);
                } else if let Some(value) = lower.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap_or(0);
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await?;
            self.requests.fetch_add(1, Ordering::Relaxed);
            let now = 1 + self.in_flight.fetch_add(1, Ordering::Relaxed);
            self.most_in_flight.fetch_max(now, Ordering::Relaxed);
            tokio::time::sleep(LATENCY).await;
            self.in_flight.fetch_sub(1, Ordering::Relaxed);
            let answer = self.answer(&path, &body);
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
                answer.len()
            );
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(answer.as_bytes()).await?;
        }
    }
}

/// Reads the whole log into a new store, and says how fast that was.
async fn measure(server: Arc<Server>, limit: Option<NonZeroU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    let serving = Arc::clone(&server);
    let accepting = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let serving = Arc::clone(&serving);
            tokio::spawn(async move {
                // A reader that hangs up is its own business.
                let _ = serving.serve(stream).await;
            });
        }
    });
    let directory = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(Settings {
        path: directory.path().join("bench.db"),
        routes: Routes::default(),
    });
    let monitor = Monitor::new(
        Arc::new(store.await.expect("a database")),
        Arc::new(SystemClock),
        Progress::default(),
        Stop::default(),
    );
    let http = match limit {
        Some(limit) => http::Client::default().paced(Pace::per_minute(limit)),
        None => http::Client::default(),
    };
    let log = Followed::RekorV1(RekorV1Log {
        name: "bench".to_owned(),
        server: Client::new(http, url.parse().expect("a URL")),
        keys: vec![server.spki.clone()],
        start: Start::Beginning,
        silence_after: None,
    });
    let watches = Watches::compile(Vec::new()).expect("no watch is sound");
    let rules = Arc::new(Rules::new(watches, None));
    server.requests.store(0, Ordering::Relaxed);
    server.most_in_flight.store(0, Ordering::Relaxed);
    let began = Instant::now();
    let outcomes = monitor.pass(&[log], &rules, false).await.expect("a pass");
    let seconds = began.elapsed().as_secs_f64();
    assert!(
        outcomes.iter().all(|outcome| outcome.proven),
        "{outcomes:?}"
    );
    accepting.abort();
    let requests = server.requests.load(Ordering::Relaxed);
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let (entries_a_second, requests_a_second) = (
        server.entries.len() as f64 / seconds,
        requests as f64 / seconds,
    );
    let used = limit.map_or("no limit".to_owned(), |limit| {
        let allowed = f64::from(limit.get()) / 60.0;
        format!("{:.3} of the limit", requests_a_second / allowed)
    });
    println!(
        "{} entries in {seconds:.1} s: {entries_a_second:.0} entries/s, {requests} requests, {} at once at most, {used}",
        server.entries.len(),
        server.most_in_flight.load(Ordering::Relaxed),
    );
}

fn setting(name: &str, usual: u32) -> u32 {
    let set = std::env::var(name).ok();
    set.and_then(|value| value.parse().ok()).unwrap_or(usual)
}

fn main() {
    // `cargo test --benches` only wants to know whether it starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let size = setting("MODELWATCH_BENCH_ENTRIES", 20_000);
    let server = Arc::new(Server::new(usize::try_from(size).expect("32 bits fit")));
    let limit = NonZeroU32::new(setting("MODELWATCH_BENCH_LIMIT", 6_000));
    runtime.block_on(async {
        measure(Arc::clone(&server), None).await;
        measure(server, limit).await;
    });
}
