//! A server on loopback that answers by what it receives: the services that channels write to, with their limits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// One request.
#[derive(Debug, Clone)]
pub(in crate::notify) struct Received {
    pub(in crate::notify) method: String,
    /// With its query.
    pub(in crate::notify) path: String,
    /// Names in lower case.
    pub(in crate::notify) headers: BTreeMap<String, String>,
    pub(in crate::notify) body: String,
}

impl Received {
    pub(in crate::notify) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }
}

/// Status, headers and body of an answer.
#[derive(Debug, Clone)]
pub(in crate::notify) struct Answer {
    pub(in crate::notify) status: u16,
    pub(in crate::notify) headers: &'static str,
    pub(in crate::notify) body: String,
}

impl Answer {
    pub(in crate::notify) fn new(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            headers: "",
            body: body.into(),
        }
    }

    pub(in crate::notify) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, body.to_string())
    }
}

/// Answers every request.
pub(in crate::notify) struct FakeServer {
    port: u16,
    received: Arc<Mutex<Vec<Received>>>,
}

impl FakeServer {
    pub(in crate::notify) async fn start(
        answer: impl Fn(&Received) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let received = Arc::new(Mutex::new(Vec::new()));
        let requests = received.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = BufStream::new(stream);
                let Some(request) = read(&mut stream).await else {
                    continue;
                };
                let Answer {
                    status,
                    headers,
                    body,
                } = answer(&request);
                requests.lock().unwrap().push(request);
                let length = match status {
                    204 => String::new(),
                    _ => format!("Content-Length: {}\r\n", body.len()),
                };
                let head =
                    format!("HTTP/1.1 {status} X\r\nConnection: close\r\n{headers}{length}\r\n");
                stream.write_all(head.as_bytes()).await.ok();
                stream.write_all(body.as_bytes()).await.ok();
                stream.flush().await.ok();
            }
        });
        Self { port, received }
    }

    pub(in crate::notify) fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://127.0.0.1:{}{path}", self.port)).unwrap()
    }

    pub(in crate::notify) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

async fn read(stream: &mut BufStream<TcpStream>) -> Option<Received> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length");
    let length = length.map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Received {
        method,
        path,
        headers,
        body: String::from_utf8(body).unwrap(),
    })
}
