//! An OpenID Connect provider on loopback with a real key, and each way in which one can fail; its token endpoint is also
//! that of the platforms that issue tokens to workflows.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

/// What is wrong with the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Expired,
    NotYetValid,
    OtherAudience,
    OtherNonce,
    NoNonce,
    OtherState,
    NoState,
    TwoStates,
    OtherIssuerInDocument,
    OtherIssuerInToken,
    OtherIssuerInAnswer,
    NotVerified,
    Unsigned,
    NoToken,
    NoPkce,
    HttpEndpoint,
    Denied,
    DeniedCode,
    NoDocument,
    /// The answer of this path has this status, and repeats the request in its reason.
    Status(&'static str, u16),
    /// The body of the answer of this path ends before its length.
    Cut(&'static str),
    /// The answer of this path is longer than any.
    Oversized(&'static str),
    /// This path leads to another host.
    Redirect(&'static str),
    /// The answer of this path is no JSON.
    Html(&'static str),
}

pub const DOCUMENT: &str = "/.well-known/openid-configuration";
pub const TOKEN: &str = "/token";
/// GitHub's: a token for a request with a token.
pub const GITHUB: &str = "/github";
/// What GitHub's requests must have.
pub const REQUEST_TOKEN: &str = "request-s3cret";

/// One request as the provider received it.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    pub query: BTreeMap<String, String>,
    pub form: BTreeMap<String, String>,
    pub head: String,
}

/// The provider.
pub struct Issuer {
    pub url: String,
    shared: Arc<Shared>,
}

struct Shared {
    url: String,
    key: EcdsaKeyPair,
    fault: Option<Fault>,
    claims: Value,
    /// What the document has besides.
    document: Value,
    requests: Mutex<Vec<Request>>,
    /// The request of the sign-in that was begun last.
    begun: Mutex<BTreeMap<String, String>>,
}

impl Issuer {
    pub fn start(fault: Option<Fault>) -> Self {
        Self::with(fault, json!({}), json!({}))
    }

    /// `claims` are in each token, and `document` in the document.
    pub fn with(fault: Option<Fault>, claims: Value, document: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let shared = Arc::new(Shared {
            url: url.clone(),
            key: EcdsaKeyPair::generate(algorithm).unwrap(),
            fault,
            claims,
            document,
            requests: Mutex::default(),
            begun: Mutex::default(),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let serving = Arc::clone(&serving);
                // A client that closes the connection is no failure of the test.
                thread::spawn(move || serving.serve(stream.unwrap()));
            }
        });
        Self { url, shared }
    }

    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    pub fn paths(&self) -> Vec<String> {
        let requests = self.requests();
        requests.into_iter().map(|request| request.path).collect()
    }

    /// A token with these claims besides the usual ones; `null` removes one.
    pub fn token(&self, claims: &Value) -> String {
        self.shared.jwt(claims)
    }
}

impl Shared {
    fn jwt(&self, changes: &Value) -> String {
        let now = jiff_now();
        // A day: no test may depend on how busy the machine is.
        let mut claims = json!({
            "iss": self.url, "sub": "CgVvd25lcg", "aud": "sigstore", "iat": now - 1, "exp": now + 86_400,
            "email": "owner@falcon.example", "email_verified": true,
        });
        for changes in [&self.claims, changes] {
            for (name, value) in changes.as_object().unwrap() {
                claims[name] = value.clone();
            }
        }
        let header = json!({"alg": "ES256", "kid": "1", "typ": "JWT"});
        let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let random = SystemRandom::new();
        let signature = self.key.sign(&random, signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let Some(request) = read(&mut stream)? else {
            return Ok(());
        };
        self.requests.lock().unwrap().push(request.clone());
        let path = request.path.as_str();
        let answer = match self.fault {
            Some(Fault::Status(at, status)) if at == path => {
                let repeated = format!("{:?} {}", request.form, request.head.replace("\r\n", " "));
                reply(
                    status,
                    "",
                    &json!({"error": "odd", "error_description": repeated, "message": repeated})
                        .to_string(),
                )
            }
            Some(Fault::Redirect(at)) if at == path => {
                reply(302, "Location: https://elsewhere.invalid/\r\n", "")
            }
            Some(Fault::Html(at)) if at == path => reply(200, "", "<html>s3cret</html>"),
            Some(Fault::Oversized(at)) if at == path => {
                reply(200, "", &json!({"pad": "x".repeat(1 << 20)}).to_string())
            }
            Some(Fault::Cut(at)) if at == path => {
                "HTTP/1.1 200 X\r\nContent-Length: 9999\r\nConnection: close\r\n\r\n{\"id_token\":"
                    .to_owned()
            }
            _ => self.answer(&request),
        };
        stream.write_all(answer.as_bytes())
    }

    fn answer(&self, request: &Request) -> String {
        match request.path.as_str() {
            DOCUMENT if self.fault != Some(Fault::NoDocument) => {
                reply(200, "", &self.document().to_string())
            }
            "/keys" => {
                let point = self.key.public_key().as_ref();
                let part = |range| URL_SAFE_NO_PAD.encode(&point[range]);
                let key = json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "1", "x": part(1..33), "y": part(33..65)});
                reply(200, "", &json!({"keys": [key]}).to_string())
            }
            "/auth" => self.begin(&request.query),
            TOKEN => self.exchange(request),
            GITHUB => {
                let expected = format!("authorization: bearer {REQUEST_TOKEN}");
                if !request.head.to_ascii_lowercase().contains(&expected) {
                    return reply(401, "", "{}");
                }
                let token = self.jwt(&json!({"aud": request.query["audience"]}));
                reply(200, "", &json!({"count": 1, "value": token}).to_string())
            }
            // Google's metadata server.
            "/computeMetadata/v1/instance/service-accounts/default/identity" => {
                if !request
                    .head
                    .to_ascii_lowercase()
                    .contains("metadata-flavor: google")
                {
                    return reply(403, "", "");
                }
                reply(
                    200,
                    "",
                    &self.jwt(&json!({"aud": request.query["audience"]})),
                )
            }
            _ => reply(404, "", "{}"),
        }
    }

    fn document(&self) -> Value {
        let is = |fault| self.fault == Some(fault);
        let at = |path: &str| {
            if is(Fault::HttpEndpoint) {
                format!("http://idp.invalid{path}")
            } else {
                format!("{}{path}", self.url)
            }
        };
        let issuer = if is(Fault::OtherIssuerInDocument) {
            "https://idp.invalid"
        } else {
            &self.url
        };
        let method = if is(Fault::NoPkce) { "plain" } else { "S256" };
        let mut document = json!({
            "issuer": issuer, "authorization_endpoint": at("/auth"), "token_endpoint": at(TOKEN), "jwks_uri": at("/keys"),
            "response_types_supported": ["code"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"], "code_challenge_methods_supported": [method],
        });
        for (name, value) in self.document.as_object().unwrap() {
            document[name] = value.clone();
        }
        document
    }

    /// The person signs in at once, and is led back.
    fn begin(&self, query: &BTreeMap<String, String>) -> String {
        assert_eq!(query["response_type"], "code");
        assert_eq!(query["scope"], "openid email");
        assert_eq!(query["code_challenge_method"], "S256");
        assert!(!query.contains_key("client_secret"), "{query:?}");
        self.begun.lock().unwrap().clone_from(query);
        let mut back: Url = query["redirect_uri"].parse().unwrap();
        if back.scheme() == "urn" {
            return reply(200, "", "the code is c0de-s3cret");
        }
        let is = |fault| self.fault == Some(fault);
        let mut answer = back.query_pairs_mut();
        if is(Fault::Denied) {
            answer.append_pair("error", "access_denied");
            answer.append_pair("error_description", "<b>no\u{1b}[2J");
        } else {
            answer.append_pair("code", "c0de-s3cret");
        }
        if is(Fault::OtherState) {
            answer.append_pair("state", "another");
        } else if !is(Fault::NoState) {
            answer.append_pair("state", &query["state"]);
        }
        if is(Fault::TwoStates) {
            answer.append_pair("state", "another");
        }
        if is(Fault::OtherIssuerInAnswer) {
            answer.append_pair("iss", "https://idp.invalid");
        }
        drop(answer);
        reply(302, &format!("Location: {back}\r\n"), "")
    }

    /// RFC 6749 §4.1.3 and RFC 7636 §4.6: all must be as it was at the beginning.
    fn exchange(&self, request: &Request) -> String {
        let (form, begun) = (&request.form, self.begun.lock().unwrap().clone());
        let digest =
            aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, form["code_verifier"].as_bytes());
        let is_right = form["grant_type"] == "authorization_code"
            && form["code"] == "c0de-s3cret"
            && form.get("redirect_uri") == begun.get("redirect_uri")
            && form.get("client_id") == begun.get("client_id")
            && Some(&URL_SAFE_NO_PAD.encode(digest)) == begun.get("code_challenge");
        if !is_right || self.fault == Some(Fault::DeniedCode) {
            let refusal = json!({"error": "invalid_grant", "error_description": format!("the code {} is used", form["code"])});
            return reply(400, "", &refusal.to_string());
        }
        let now = jiff_now();
        let mut claims = json!({"aud": begun["client_id"], "nonce": begun["nonce"]});
        let change = match self.fault {
            Some(Fault::Expired) => json!({"exp": now - 1}),
            Some(Fault::NotYetValid) => json!({"nbf": now + 3600}),
            Some(Fault::OtherAudience) => json!({"aud": "another"}),
            Some(Fault::OtherNonce) => json!({"nonce": "another"}),
            Some(Fault::NoNonce) => json!({"nonce": null}),
            Some(Fault::OtherIssuerInToken) => json!({"iss": "https://idp.invalid"}),
            Some(Fault::NotVerified) => json!({"email_verified": false}),
            _ => json!({}),
        };
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let mut token = self.jwt(&claims);
        if self.fault == Some(Fault::Unsigned) {
            token.truncate(token.rfind('.').unwrap() + 1);
        }
        let answer = if self.fault == Some(Fault::NoToken) {
            json!({"access_token": token})
        } else {
            json!({"access_token": "opaque", "token_type": "bearer", "id_token": token})
        };
        reply(200, "", &answer.to_string())
    }
}

/// The user and the password of a Basic header (RFC 7617).
pub fn basic(request: &Request) -> Option<String> {
    let line = request.head.lines().find(|line| {
        line.to_ascii_lowercase()
            .starts_with("authorization: basic ")
    })?;
    let decoded = STANDARD.decode(line.rsplit(' ').next()?).ok()?;
    String::from_utf8(decoded).ok()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the program compares with the machine's clock"
)]
fn jiff_now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn reply(status: u16, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// A request, or `None` if the connection was opened ahead of need.
fn read(stream: &mut TcpStream) -> std::io::Result<Option<Request>> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let count = stream.read(&mut piece)?;
        if count == 0 {
            return Ok(None);
        }
        bytes.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let lower = head.to_ascii_lowercase();
        let length = lower.split("content-length: ").nth(1);
        let length = length.map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap());
        if body.len() < length {
            continue;
        }
        let target = head.split(' ').nth(1).unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let pairs = |text: &str| {
            form_urlencoded::parse(text.as_bytes())
                .into_owned()
                .collect()
        };
        return Ok(Some(Request {
            path: path.to_owned(),
            query: pairs(query),
            form: pairs(body),
            head: head.to_owned(),
        }));
    }
}

/// What a browser does with an address: it follows it, and shows the last page.
pub fn browse(address: &str) -> String {
    let mut address = address.to_owned();
    for _ in 0..5 {
        let url: Url = address.parse().unwrap();
        let (_, page) = visit(&url, "GET", &[("sec-fetch-mode", "navigate")]);
        match page
            .split("\r\n")
            .find_map(|line| line.strip_prefix("Location: "))
        {
            Some(to) => to.clone_into(&mut address),
            None => return page,
        }
    }
    panic!("redirects without end");
}

/// One request to this machine: the status and the whole answer.
pub fn visit(url: &Url, method: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let (host, port) = (url.host_str().unwrap(), url.port().unwrap());
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let query = url
        .query()
        .map_or_else(String::new, |query| format!("?{query}"));
    let mut head = format!("{method} {}{query} HTTP/1.1\r\n", url.path());
    if !headers.iter().any(|(name, _)| *name == "host") {
        head.extend(["host: ", host, ":", &port.to_string(), "\r\n"]);
    }
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    // A server that refuses may close before everything was sent.
    let _ = stream.read_to_string(&mut answer);
    let status = answer
        .split(' ')
        .nth(1)
        .map_or(0, |status| status.parse().unwrap());
    (status, answer)
}
