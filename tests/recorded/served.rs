//! The logs over HTTP, from servers that are slow, overloaded or broken.

use std::io::Write as _;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::runtime::Runtime;

use crate::program::{Log, Program};
use crate::recording::{END, published, size};
use crate::reported::assert_found;
use crate::server::{Answer, Request, Server};

/// The recorded logs on loopback, below `/v2a/` and `/v2b/`.
struct Served {
    /// Serves until it is dropped.
    _runtime: Runtime,
    server: Server,
}

impl Served {
    /// `fault` answers the requests that it chooses, by their number, and the recording answers the others. `finish`
    /// may change each answer.
    fn new(
        fault: impl Fn(usize) -> Option<Answer> + Send + Sync + 'static,
        finish: impl Fn(usize, Vec<u8>) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let runtime = Runtime::new().unwrap();
        let requests = AtomicUsize::new(0);
        let server = runtime.block_on(Server::start(move |request: &Request| {
            let number = requests.fetch_add(1, Ordering::Relaxed) + 1;
            fault(number).unwrap_or_else(|| match recorded(&request.path) {
                Some(body) => finish(number, body),
                None => Answer::status(404),
            })
        }));
        Self {
            _runtime: runtime,
            server,
        }
    }

    /// All requests that `fault` does not choose are answered correctly.
    fn failing(fault: impl Fn(usize) -> Option<Answer> + Send + Sync + 'static) -> Self {
        Self::new(fault, |_, body| Answer::ok(body))
    }

    fn log(&self, name: &str, prefix: &str) -> Log {
        Log::recorded(name).at(format!("{}{name}{prefix}", self.server.url))
    }
}

/// The file that a server of the recording has at this path, with or without `/api/v2`.
fn recorded(path: &str) -> Option<Vec<u8>> {
    let (log, file) = path.strip_prefix('/')?.split_once('/')?;
    let file = file.strip_prefix("api/v2/").unwrap_or(file);
    std::fs::read(published(log).join(file)).ok()
}

/// Both logs are found, proven and recorded once, with every fault of the server.
#[track_caller]
fn assert_read(served: &Served, prefix: &str) {
    let program = Program::new(&["v2a", "v2b"].map(|log| served.log(log, prefix)));
    program.pass().assert_code(1);
    assert_found("over HTTP", &program.findings(), &["v2a", "v2b"], 0..END);
    assert_eq!(program.status("v2a").proven, Some(size("v2a")));
    assert_eq!(program.status("v2b").proven, Some(size("v2b")));
}

#[test]
fn a_log_over_http_gives_what_its_folder_gives() {
    assert_read(&Served::failing(|_| None), "");
}

#[test]
fn an_address_may_name_the_api_and_answers_may_be_late() {
    let late = Served::failing(|_| {
        // For this server, a slow network: its other connections continue meanwhile.
        let wait = tokio::time::sleep(Duration::from_millis(50));
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(wait));
        None
    });
    assert_read(&late, "/api/v2");
}

#[test]
fn compressed_answers_are_unpacked() {
    let packing = Served::new(
        |_| None,
        |_, body| {
            let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
            packed.write_all(&body).unwrap();
            Answer::ok(packed.finish().unwrap()).with("Content-Encoding: gzip")
        },
    );
    assert_read(&packing, "");
}

#[test]
fn an_overloaded_server_gets_the_request_again() {
    let fifth = |number: usize| (number % 5 == 4).then(|| Answer::status(503));
    assert_read(&Served::failing(fifth), "");
}

#[test]
fn a_server_that_names_a_time_to_wait_is_given_it() {
    let fifth =
        |number: usize| (number % 5 == 4).then(|| Answer::status(429).with("Retry-After: 1"));
    assert_read(&Served::failing(fifth), "");
}

#[test]
fn a_body_that_ends_early_is_requested_again() {
    let cutting = Served::new(
        |_| None,
        |number, mut body| {
            if number % 10 == 9 {
                body.truncate(body.len() / 2);
                Answer::Cut(body)
            } else {
                Answer::ok(body)
            }
        },
    );
    assert_read(&cutting, "");
}

#[test]
fn a_redirect_to_another_host_is_not_followed() {
    let elsewhere = Served::failing(|_| None);
    let port = elsewhere.server.url.port().unwrap();
    let moved = format!("Location: http://localhost:{port}/v2b/checkpoint");
    let moving = Served::failing(move |_| Some(Answer::status(302).with(&moved)));

    let program = Program::new(&[moving.log("v2b", "")]);
    program.pass().assert_code(3);
    assert_eq!(program.status("v2b").error_kind(), Some("unavailable"));
    assert!(elsewhere.server.paths().is_empty());
}

#[test]
fn a_dead_log_does_not_stop_the_others() {
    // Bound and closed: no server listens there.
    let unused = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let dead = Log::recorded("v2b").at(format!("http://{unused}"));

    let program = Program::new(&[dead, Log::recorded("v2a")]);
    program.pass().assert_code(1);
    assert_eq!(program.status("v2a").proven, Some(size("v2a")));
    assert_eq!(program.status("v2b").error_kind(), Some("unavailable"));
    assert_found("the other log", &program.findings(), &["v2a"], 0..END);
}
