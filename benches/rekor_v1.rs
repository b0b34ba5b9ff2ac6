//! How fast a Rekor v1 log is read in full.
//!
//! `cargo bench --bench rekor_v1` prints four figures:
//!
//! * reading, hashing and matching its leaves, by CPU time;
//! * a whole pass over loopback, without latency, by CPU time of this process (the server is another one);
//! * a pass when each answer takes 220 ms, as the public log's do, without a limit;
//! * and with one of requests per minute, of which it should use nearly all.
//!
//! The log has 20,000 entries made of recorded ones (`MODELWATCH_BENCH_ENTRIES`), ten for each request; for CPU time
//! ten times as many are measured. The limit is 6,000 requests a minute (`MODELWATCH_BENCH_LIMIT`). A thousand watches
//! select other names.

use std::io::{BufRead as _, Write as _};
use std::num::NonZeroU32;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use modelwatch::clock::SystemClock;
use modelwatch::entry;
use modelwatch::finding::Routes;
use modelwatch::http::{self, RateLimit};
use modelwatch::judge::Rules;
use modelwatch::log::Start;
use modelwatch::monitor::{Monitor, MonitoredLog, Progress, RekorV1Log, Stop};
use modelwatch::source::rekor_v1::Client;
use modelwatch::store::Settings;
use modelwatch::store::sqlite::SqliteStore;
use modelwatch::watch::{Conditions, Glob, Watch, Watches};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tlog::{CompactRange, Hash, leaf_hash};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// The duration of an answer of the public log.
const LATENCY: Duration = Duration::from_millis(220);

/// With this argument the program serves a log: with this number of entries, each answer delayed by this many
/// milliseconds.
const SERVE: &str = "MODELWATCH_BENCH_SERVE";

const LEAVES: &str = include_str!("../tests/data/entries/rekor-v1.jsonl");

fn leaves() -> Vec<String> {
    let leaf = |line: &str| {
        let line: Value = serde_json::from_str(line).ok()?;
        line["leaf"].as_str().map(str::to_owned)
    };
    LEAVES.lines().filter_map(leaf).collect()
}

/// A thousand watches as people write them, for signers that are not in the log.
fn watches() -> Watches {
    let watch = |number: usize| {
        let mut conditions = Conditions::default();
        if number.is_multiple_of(2) {
            let glob = format!("https://github.com/other-{number}/*@refs/tags/*");
            conditions.san_glob.push(Glob::new(&glob));
        } else {
            conditions.san.push(format!("other-{number}@else.example"));
        }
        Watch::new(format!("watch {number}"), conditions)
    };
    Watches::compile((0..1_000).map(watch).collect()).expect("sound watches")
}

/// A log of one tree, whose answers are composed on request.
struct Server {
    log: String,
    latency: Duration,
    size: u64,
    /// For each leaf the text before and after its two indexes.
    leaves: Vec<[String; 3]>,
    spki: Vec<u8>,
    requests: AtomicUsize,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
}

impl Server {
    fn new(size: u64, latency: Duration) -> Self {
        let leaves = leaves();
        let hashes: Vec<Hash> = leaves
            .iter()
            .map(|leaf| leaf_hash(leaf.as_bytes()))
            .collect();
        let mut tree = CompactRange::new();
        for (hash, _) in hashes.iter().cycle().zip(0..size) {
            tree.push(*hash);
        }
        let parts = |(leaf, hash): (&String, &Hash)| {
            let hash = hash.to_hex();
            // A path as long as the public log's, with the same cost for the reader.
            let path = json!(vec![&hash; 28]);
            [
                format!(
                    r#"{{"{:016x}{hash}":{{"body":"{}","integratedTime":1,"logID":"00","logIndex":"#,
                    7,
                    STANDARD.encode(leaf)
                ),
                format!(
                    r#","verification":{{"signedEntryTimestamp":"{}","inclusionProof":{{"logIndex":"#,
                    STANDARD.encode([0; 71])
                ),
                format!(
                    r#","hashes":{path},"treeSize":{size},"rootHash":"{hash}","checkpoint":"rekor.bench - 7\n1\nAA==\n"}}}}}}}}"#
                ),
            ]
        };
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
            latency,
            size,
            leaves: leaves.iter().zip(&hashes).map(parts).collect(),
            spki,
            requests: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            most_in_flight: AtomicUsize::new(0),
        }
    }

    fn answer(&self, path: &str, body: &[u8]) -> String {
        match path {
            "/api/v1/log" => return self.log.clone(),
            // For the reader of the figures, no part of the interface.
            "/counts" => {
                let counts = [&self.requests, &self.most_in_flight];
                return json!(counts.map(|count| count.load(Ordering::Relaxed))).to_string();
            }
            _ => {}
        }
        let question: Value = serde_json::from_slice(body).expect("JSON");
        let asked = question["logIndexes"].as_array().expect("a list");
        let mut answer = String::from("[");
        for index in asked.iter().filter_map(Value::as_u64) {
            let place = usize::try_from(index).expect("64 bits") % self.leaves.len();
            let Some([before, between, behind]) = self.leaves.get(place) else {
                continue;
            };
            if index < self.size {
                if answer.len() > 1 {
                    answer.push(',');
                }
                for part in [
                    before,
                    &index.to_string(),
                    between,
                    &index.to_string(),
                    behind,
                ] {
                    answer.push_str(part);
                }
            }
        }
        answer.push(']');
        answer
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
            if path != "/counts" {
                self.requests.fetch_add(1, Ordering::Relaxed);
                let now = 1 + self.in_flight.fetch_add(1, Ordering::Relaxed);
                self.most_in_flight.fetch_max(now, Ordering::Relaxed);
                tokio::time::sleep(self.latency).await;
                self.in_flight.fetch_sub(1, Ordering::Relaxed);
            }
            let answer = self.answer(&path, &body);
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
                answer.len()
            );
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(answer.as_bytes()).await?;
        }
    }

    /// Serves until it is killed, after printing its address and key.
    async fn run(self: Arc<Self>) -> std::io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        println!("http://{address}/ {}", hex::encode(&self.spki));
        std::io::stdout().flush()?;
        loop {
            let (stream, _) = listener.accept().await?;
            let serving = Arc::clone(&self);
            tokio::spawn(async move {
                // A reader that closes the connection is no failure.
                let _ = serving.serve(stream).await;
            });
        }
    }
}

/// Another process of this program, as the server of a log.
struct Other {
    child: Child,
    url: Url,
    spki: Vec<u8>,
}

impl Other {
    fn start(size: u64, latency: Duration) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .arg("--bench")
            .env(SERVE, format!("{size} {}", latency.as_millis()))
            .stdout(Stdio::piped())
            .spawn()
            .expect("it can be run");
        let mut reported = String::new();
        let output = child.stdout.take().expect("it is piped");
        std::io::BufReader::new(output)
            .read_line(&mut reported)
            .expect("it prints its address");
        let (url, spki) = reported.trim().split_once(' ').expect("and its key");
        Self {
            child,
            url: url.parse().expect("a URL"),
            spki: hex::decode(spki).expect("hex"),
        }
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // The process may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads the whole log into a new store, and prints the speed.
async fn measure(name: &str, size: u64, latency: Duration, limit: Option<NonZeroU32>) {
    let server = Other::start(size, latency);
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
        Some(limit) => http::Client::default().rate_limited(RateLimit::per_minute(limit)),
        None => http::Client::default(),
    };
    let log = MonitoredLog::RekorV1(RekorV1Log {
        name: "bench".to_owned(),
        server: Client::new(http, server.url.clone()),
        keys: vec![server.spki.clone()],
        start: Start::Beginning,
        silence_after: None,
        rollback_after: Duration::ZERO,
    });
    let rules = Arc::new(Rules::new(watches(), None));
    let (began, cpu_before) = (Instant::now(), cpu_seconds());
    let outcomes = monitor.pass(&[log], &rules, false).await.expect("a pass");
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds() - cpu_before);
    assert!(
        outcomes.iter().all(|outcome| outcome.proven),
        "{outcomes:?}"
    );
    let counts = server.url.join("counts").expect("a URL");
    let counts = http::Client::default().get(&counts, 1024).await;
    let counts = counts.expect("it answers").expect("with something");
    let [requests, most]: [u32; 2] = serde_json::from_slice(&counts).expect("two numbers");
    let used = limit.map_or("no limit".to_owned(), |limit| {
        let allowed = f64::from(limit.get()) / 60.0;
        format!(
            "{:.3} of the limit",
            f64::from(requests) / seconds / allowed
        )
    });
    println!(
        "{name}: {size} entries in {seconds:.1} s: {:.0} entries/s, {:.0} entries/CPU s, {requests} requests, \
         {most} at once at most, {used}, peak {} MiB",
        float(size) / seconds,
        float(size) / cpu,
        peak_mib(),
    );
}

/// Parses, hashes and matches this many leaves on one thread.
fn pipeline(count: u64) {
    let (leaves, watches) = (leaves(), watches());
    let mut found = Vec::new();
    let mut tree = CompactRange::new();
    let before = cpu_seconds();
    for (leaf, _) in leaves.iter().cycle().zip(0..count) {
        let leaf = leaf.as_bytes();
        tree.push(leaf_hash(leaf));
        if let Ok(entry) = entry::parse(leaf) {
            for signing in &entry.signings {
                watches.matches(&signing.signer, &mut found);
            }
        }
    }
    let cpu = cpu_seconds() - before;
    assert_eq!((tree.size(), found.len()), (count, 0));
    println!(
        "read, hash and match: {:.0} entries/CPU s",
        float(count) / cpu
    );
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn float(number: u64) -> f64 {
    number as f64
}

/// User and system time of this process, in seconds: utime and stime of proc(5), in ticks of 10 ms. 0 on systems other
/// than Linux, so that the figures are obviously wrong.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let ticks = fields.split(' ').skip(11).take(2);
    float(ticks.filter_map(|field| field.parse::<u64>().ok()).sum()) / 100.0
}

/// The most memory that this process had so far.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

fn setting(name: &str, usual: u32) -> u32 {
    let set = std::env::var(name).ok();
    set.and_then(|value| value.parse().ok()).unwrap_or(usual)
}

fn main() {
    // `cargo test --benches` only checks that it starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if let Ok(reported) = std::env::var(SERVE) {
        let (size, latency) = reported.split_once(' ').expect("two numbers");
        let latency = Duration::from_millis(latency.parse().expect("a number"));
        let server = Server::new(size.parse().expect("a number"), latency);
        runtime
            .block_on(Arc::new(server).run())
            .expect("a server on loopback");
        return;
    }
    let size = u64::from(setting("MODELWATCH_BENCH_ENTRIES", 20_000));
    let limit = NonZeroU32::new(setting("MODELWATCH_BENCH_LIMIT", 6_000));
    pipeline(10 * size);
    runtime.block_on(async {
        measure("loopback", 10 * size, Duration::ZERO, None).await;
        measure("220 ms late", size, LATENCY, None).await;
        measure("220 ms late, limited", size, LATENCY, limit).await;
    });
}
