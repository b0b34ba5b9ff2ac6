//! As much of an HTTP server as the services need.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    head: String,
    pub body: Vec<u8>,
}

impl Request {
    /// The first part of the path. Python's clients leave it out of some addresses.
    pub fn service(&self) -> &str {
        match self.path.split('/').nth(1).unwrap_or_default() {
            "api" if self.path.starts_with("/api/v1/") => "rekor1",
            "api" if self.path.ends_with("/signingCert") => "fulcio",
            "api" => "rekor2",
            service => service,
        }
    }

    /// The rest of the path.
    pub fn below(&self) -> &str {
        let prefix = format!("/{}", self.service());
        self.path.strip_prefix(&prefix).unwrap_or(&self.path)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1);
        lines.find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// An answer.
pub struct Response {
    status: u16,
    headers: String,
    pub body: Vec<u8>,
    pub is_cut: bool,
    pub is_lost: bool,
}

impl Response {
    pub fn new(status: u16, body: &str) -> Self {
        Self {
            status,
            headers: String::new(),
            body: body.as_bytes().to_vec(),
            is_cut: false,
            is_lost: false,
        }
    }

    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, &body.to_string())
    }

    pub fn header(&mut self, name: &str, value: &str) {
        for part in [name, ": ", value, "\r\n"] {
            self.headers.push_str(part);
        }
    }
}

/// Answers the requests of one connection, one after the other.
pub fn serve(mut stream: TcpStream, answer: &dyn Fn(Request) -> Response) {
    let mut received = Vec::new();
    while let Some(request) = read(&mut stream, &mut received) {
        let response = answer(request);
        if response.is_lost {
            return;
        }
        let head = format!(
            "HTTP/1.1 {} x\r\nContent-Length: {}\r\n{}\r\n",
            response.status,
            response.body.len(),
            response.headers
        );
        let body = if response.is_cut {
            &response.body[..response.body.len() / 2]
        } else {
            &response.body[..]
        };
        // The client may have gone: it does not read what is too long.
        let sent = stream
            .write_all(head.as_bytes())
            .and_then(|()| stream.write_all(body));
        if sent.is_err() || response.is_cut {
            return;
        }
    }
}

fn read(stream: &mut TcpStream, received: &mut Vec<u8>) -> Option<Request> {
    let mut piece = [0; 8192];
    loop {
        let end = received.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&received[..end]).into_owned();
            let mut first = head.lines().next()?.split(' ');
            let mut request = Request {
                method: first.next()?.to_owned(),
                path: first.next()?.to_owned(),
                head: head.clone(),
                body: Vec::new(),
            };
            let length = request
                .header("content-length")
                .unwrap_or("0")
                .parse()
                .unwrap_or(0);
            if received.len() >= end + 4 + length {
                request.body = received[end + 4..end + 4 + length].to_vec();
                received.drain(..end + 4 + length);
                return Some(request);
            }
        }
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return None,
            Ok(read) => received.extend_from_slice(&piece[..read]),
        }
    }
}
