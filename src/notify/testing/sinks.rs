//! Servers on loopback that record what they receive and answer from a script.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// An HTTP server that gives each request the next of its answers: (status, headers, body).
pub(in crate::notify) struct HttpSink {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl HttpSink {
    pub(in crate::notify) async fn start(answers: &[(u16, &str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let sink = Self {
            port: listener.local_addr().unwrap().port(),
            requests: requests.clone(),
        };
        let answers: Vec<_> = answers
            .iter()
            .map(|(status, headers, body)| {
                // No body and no length with 204 (RFC 9110 §8.6).
                let length = match status {
                    204 => String::new(),
                    _ => format!("Content-Length: {}\r\n", body.len()),
                };
                format!("HTTP/1.1 {status} X\r\nConnection: close\r\n{headers}{length}\r\n{body}")
            })
            .collect();
        tokio::spawn(async move {
            for answer in answers {
                let (stream, _) = listener.accept().await.unwrap();
                let mut stream = BufStream::new(stream);
                let request = read_request(&mut stream).await;
                requests.lock().unwrap().push(request);
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.flush().await.unwrap();
            }
        });
        sink
    }

    pub(in crate::notify) fn url(&self) -> Url {
        Url::parse(&format!("http://127.0.0.1:{}/hook", self.port)).unwrap()
    }

    /// Head and body of each, as received.
    pub(in crate::notify) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn read_request(stream: &mut BufStream<TcpStream>) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(
            stream.read_line(&mut head).await.unwrap() > 0,
            "cut off: {head}"
        );
    }
    let length = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, length)| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    head + &String::from_utf8(body).unwrap()
}

/// The answer of a mail server that closes the connection in its place.
pub(in crate::notify) const HANG_UP: &str = "hang up";

/// A mail server: answers each command from its script, `250 ok` if that has none.
pub(in crate::notify) struct SmtpSink {
    pub(in crate::notify) port: u16,
    lines: Arc<Mutex<Vec<String>>>,
}

impl SmtpSink {
    /// `script`: (beginning of a command, answer). The command `.` is the end of a mail.
    pub(in crate::notify) async fn start(script: &[(&'static str, &'static str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Self {
            port: listener.local_addr().unwrap().port(),
            lines: lines.clone(),
        };
        let script = script.to_vec();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                converse(stream, &script, &lines).await;
            }
        });
        sink
    }

    /// Every line that clients sent.
    pub(in crate::notify) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// The mails, headers unfolded.
    pub(in crate::notify) fn mail(&self) -> String {
        self.lines().join("\n").replace("\n ", " ")
    }
}

async fn converse(stream: TcpStream, script: &[(&str, &str)], lines: &Mutex<Vec<String>>) {
    let mut stream = BufStream::new(stream);
    let mut in_mail = false;
    let mut answer = Some("220 sink");
    loop {
        if let Some(answer) = answer {
            if answer == HANG_UP {
                return;
            }
            stream
                .write_all(format!("{answer}\r\n").as_bytes())
                .await
                .unwrap();
            stream.flush().await.unwrap();
        }
        let mut line = String::new();
        if !matches!(stream.read_line(&mut line).await, Ok(1..)) {
            return;
        }
        let line = line.trim_end_matches("\r\n").to_owned();
        if in_mail && line != "." {
            lines.lock().unwrap().push(line);
            answer = None;
            continue;
        }
        in_mail = false;
        let scripted = script.iter().find(|(command, _)| line.starts_with(command));
        answer = Some(match (scripted, line.as_str()) {
            (Some((_, answer)), _) => answer,
            (None, "DATA") => {
                in_mail = true;
                "354 go on"
            }
            (None, _) => "250 ok",
        });
        lines.lock().unwrap().push(line);
    }
}
