//! A server on loopback that answers exactly as a test requires, also wrongly.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// What to do about one request.
pub enum Answer {
    /// A complete answer with this status, these header lines and this body.
    Reply(u16, Vec<String>, Vec<u8>),
    /// A body that ends before the length that its header names.
    Cut(Vec<u8>),
    /// A body without end, in chunks of this content.
    Endless(Vec<u8>),
    /// No answer, while the connection stays open.
    Never,
}

impl Answer {
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::Reply(200, Vec::new(), body.into())
    }

    pub fn status(status: u16) -> Self {
        Self::Reply(status, Vec::new(), b"<html>unread</html>".to_vec())
    }

    pub fn with(mut self, header: &str) -> Self {
        if let Self::Reply(_, headers, _) = &mut self {
            headers.push(header.to_owned());
        }
        self
    }
}

/// One request as the server received it.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    /// Its head, and the body behind it.
    pub head: String,
    /// How many requests for this path came before.
    pub earlier: usize,
}

pub struct Server {
    pub url: Url,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub async fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("bound");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&requests), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                tokio::spawn(async move {
                    // A client that closes the connection is no failure of the test.
                    let _ = serve(stream, &seen, answer.as_ref()).await;
                });
            }
        });
        let url = format!("http://{address}/").parse().expect("a URL");
        Self { url, requests }
    }

    pub fn url(&self, path: &str) -> Url {
        self.url.join(path).expect("a path")
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no test panics in it").clone()
    }

    pub fn paths(&self) -> Vec<String> {
        self.requests().into_iter().map(|r| r.path).collect()
    }
}

async fn serve(
    mut stream: TcpStream,
    seen: &Mutex<Vec<Request>>,
    answer: &(impl Fn(&Request) -> Answer + ?Sized),
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let mut head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse().expect("a number"))
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    head.push_str(&String::from_utf8_lossy(&body));
    let request = {
        let mut seen = seen.lock().expect("no test panics in it");
        let earlier = seen.iter().filter(|r| r.path == path).count();
        let request = Request {
            path,
            head,
            earlier,
        };
        seen.push(request.clone());
        request
    };
    match answer(&request) {
        Answer::Reply(status, headers, body) => {
            let length = format!("Content-Length: {}", body.len());
            let lines = [
                &[
                    format!("HTTP/1.1 {status} X"),
                    "Connection: close".into(),
                    length,
                ],
                &headers[..],
                &[String::new(), String::new()],
            ];
            let text = lines.concat().join("\r\n");
            stream.write_all(text.as_bytes()).await?;
            stream.write_all(&body).await?;
        }
        Answer::Cut(body) => {
            let text = format!(
                "HTTP/1.1 200 X\r\nContent-Length: {}\r\n\r\n",
                body.len() + 9
            );
            stream.write_all(text.as_bytes()).await?;
            stream.write_all(&body).await?;
        }
        Answer::Endless(chunk) => {
            stream
                .write_all(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n")
                .await?;
            let size = format!("{:x}\r\n", chunk.len());
            loop {
                stream.write_all(size.as_bytes()).await?;
                stream.write_all(&chunk).await?;
                stream.write_all(b"\r\n").await?;
            }
        }
        Answer::Never => std::future::pending().await,
    }
    stream.shutdown().await
}
