//! A Sigstore on a port of this machine: Fulcio, Rekor v1 and v2, and a timestamp authority, with the keys of
//! `crates/model-signing/tests/keyless/fake`. Every answer can be made wrong, late or lost.

mod http;
mod logs;

use std::collections::{BTreeMap, VecDeque};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use rcgen::string::Ia5String;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType, SignatureAlgorithm};
use serde_json::{Value, json};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer as _;

use crate::fake::authority::Leaf;
use crate::fake::log::{Log, pem};
use crate::fake::stamp::Stamp;
use crate::fake::{SIGNED_AT, Sigstore, base64, unbase64};

pub use http::{Request, Response};
use logs::Tree;

/// How long tokens and certificates are valid. Real ones live for minutes, and a test on a busy machine may take as long.
pub const DAY_SECONDS: u64 = 86_400;

/// What goes wrong with the answer to one request.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// This status, and the seconds of Retry-After if they are given.
    Status(u16, Option<u32>),
    /// The connection ends in the middle of the answer; the request had its effect.
    Cut,
    /// The connection ends without an answer; the request had its effect.
    Lost,
    /// The answer is longer than any should be.
    Oversized,
    /// 403, and the answer repeats the request.
    Echo,
}

/// What is wrong with what a log answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EntryFault {
    #[default]
    None,
    NotInTree,
    ForgedCheckpoint,
    OtherRoot,
    ForgedPromise,
    /// The entry of another signature.
    Another,
}

/// What the services do, and what they were asked.
pub struct State {
    /// Changes the certificate before it is issued.
    pub leaf: fn(&mut Leaf),
    /// The certificate is for another key than the request's.
    pub for_another_key: bool,
    pub stamp: fn(&mut Stamp),
    pub entry: EntryFault,
    /// What goes wrong with the next answers of a service, by the first part of its path.
    pub faults: BTreeMap<&'static str, VecDeque<Fault>>,
    /// Every request so far.
    pub requests: Vec<Request>,
    /// Done when a certificate is requested, before it is issued.
    pub before_certificate: Option<Box<dyn FnOnce() + Send>>,
    v1: Tree,
    v2: Tree,
}

/// The services and their keys.
pub struct Services {
    pub sigstore: Sigstore,
    state: Mutex<State>,
    base: String,
}

/// The key of a certificate request.
struct RequestedKey(Vec<u8>);

impl PublicKeyData for RequestedKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl Services {
    /// Serves until the process ends.
    pub fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let services = Arc::new(Self {
            sigstore: Sigstore::new(),
            state: Mutex::new(State {
                leaf: |_| (),
                for_another_key: false,
                stamp: |_| (),
                entry: EntryFault::None,
                faults: BTreeMap::new(),
                requests: Vec::new(),
                before_certificate: None,
                v1: Tree::with_leaves(5),
                v2: Tree::with_leaves(9),
            }),
            base,
        });
        let serving = Arc::clone(&services);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let serving = Arc::clone(&serving);
                thread::spawn(move || {
                    http::serve(stream.unwrap(), &|request| serving.answer(&request));
                });
            }
        });
        services
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// How many leaves the logs have, v1 and v2.
    pub fn logged(&self) -> (usize, usize) {
        let state = self.state();
        (state.v1.size(), state.v2.size())
    }

    pub fn fail(&self, service: &'static str, faults: &[Fault]) {
        self.state()
            .faults
            .insert(service, faults.iter().copied().collect());
    }

    /// How often a service was asked.
    pub fn asked(&self, service: &str) -> usize {
        let state = self.state();
        let asked = state.requests.iter();
        asked.filter(|request| request.service() == service).count()
    }

    /// A client trust configuration with these logs, as `rekor1`, `rekor2`.
    pub fn trust_config(&self, logs: &[&str], change: impl Fn(&mut Value)) -> Value {
        let service = |path: &str, version: u32| {
            json!({
                "url": format!("{}/{path}", self.base),
                "majorApiVersion": version,
                "operator": path,
                "validFor": {"start": "2025-01-01T00:00:00Z"},
            })
        };
        let logs: Vec<Value> = logs
            .iter()
            .map(|name| service(name, if *name == "rekor1" { 1 } else { 2 }))
            .collect();
        let mut config = json!({
            "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            "trustedRoot": self.sigstore.trusted_root(),
            "signingConfig": {
                "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
                "caUrls": [service("fulcio", 1)],
                "oidcUrls": [service("oidc", 1)],
                "rekorTlogUrls": logs,
                "rekorTlogConfig": {"selector": "ALL"},
                "tsaUrls": [service("tsa", 1)],
                "tsaConfig": {"selector": "ANY"},
            },
        });
        change(&mut config);
        config
    }

    fn answer(&self, request: &Request) -> Response {
        let mut state = self.state();
        state.requests.push(request.clone());
        let fault = state.faults.get_mut(request.service());
        let fault = fault.and_then(VecDeque::pop_front);
        if let Some(Fault::Status(status, retry_after)) = fault {
            let mut response = Response::new(status, "{\"message\":\"not now\"}");
            if let Some(seconds) = retry_after {
                response.header("Retry-After", &seconds.to_string());
            }
            return response;
        }
        if let Some(Fault::Echo) = fault {
            let sent = request.header("authorization").unwrap_or_default();
            return Response::new(403, &format!("not allowed: {sent}"));
        }
        let mut response = match request.service() {
            "fulcio" => {
                if let Some(deed) = state.before_certificate.take() {
                    deed();
                }
                self.certify(&state, request)
            }
            "tsa" => self.stamp(&state, request),
            "rekor1" => {
                let entry = state.entry;
                logs::answer_v1(&self.sigstore.rekor_v1, &mut state.v1, request, entry)
            }
            "rekor2" => {
                let entry = state.entry;
                logs::answer_v2(&self.sigstore.rekor_v2, &mut state.v2, request, entry)
            }
            "oidc" => Response::json(200, &self.discovery()),
            _ => Response::new(404, ""),
        };
        match fault {
            Some(Fault::Cut) => response.is_cut = true,
            Some(Fault::Lost) => response.is_lost = true,
            Some(Fault::Oversized) => response.body.resize(3 << 20, b' '),
            _ => {}
        }
        response
    }

    /// Fulcio, `POST /api/v2/signingCert`.
    fn certify(&self, state: &State, request: &Request) -> Response {
        let Some(token) = request
            .header("authorization")
            .and_then(|value| value.strip_prefix("Bearer "))
        else {
            return Response::new(401, "no token");
        };
        let claims = token.split('.').nth(1).unwrap();
        let claims: Value = serde_json::from_slice(&crate::fake::unbase64url(claims)).unwrap();
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let csr = unbase64(body["certificateSigningRequest"].as_str().unwrap());
        let (_, csr) = x509_parser::pem::parse_x509_pem(&csr).unwrap();
        let (_, csr) = X509CertificationRequest::from_der(&csr.contents).unwrap();
        let info = &csr.certification_request_info;
        let point = info.subject_pki.subject_public_key.data.to_vec();
        let key = aws_lc_rs::signature::UnparsedPublicKey::new(
            &aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1,
            &point,
        );
        if key.verify(info.raw, &csr.signature_value.data).is_err() {
            return Response::new(400, "no proof of possession");
        }
        let name = match claims["job_workflow_ref"].as_str() {
            Some(workflow) => {
                SanType::URI(Ia5String::try_from(format!("https://github.com/{workflow}")).unwrap())
            }
            None => {
                SanType::Rfc822Name(Ia5String::try_from(claims["email"].as_str().unwrap()).unwrap())
            }
        };
        let issuer = claims["iss"].as_str().unwrap();
        let mut leaf = Leaf {
            names: vec![name],
            issuer: Some(issuer.to_owned()),
            issuer_raw: Some(issuer.to_owned()),
            valid_from: since() - 5,
            valid_seconds: DAY_SECONDS,
            ..Leaf::default()
        };
        (state.leaf)(&mut leaf);
        let ct = &self.sigstore.ct;
        let certificate = if state.for_another_key {
            self.sigstore
                .fulcio
                .issue(&KeyPair::generate().unwrap(), &leaf, ct)
        } else {
            self.sigstore.fulcio.issue(&RequestedKey(point), &leaf, ct)
        };
        let chain = self.sigstore.fulcio.chain();
        let chain = chain
            .iter()
            .map(|item| pem(&unbase64(item["rawBytes"].as_str().unwrap())));
        let certificates: Vec<String> = std::iter::once(pem(&certificate)).chain(chain).collect();
        Response::json(
            201,
            &json!({"signedCertificateEmbeddedSct": {"chain": {"certificates": certificates}}}),
        )
    }

    fn stamp(&self, state: &State, request: &Request) -> Response {
        let body = &request.body;
        // After the name of SHA-256 come the digest, the nonce, and the request for certificates.
        let sha256 = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
        let name = body.windows(9).position(|part| part == sha256).unwrap();
        let digest = body[name..]
            .windows(2)
            .position(|two| two == [0x04, 0x20])
            .unwrap();
        let digest = name + digest + 2;
        let nonce = digest + 32;
        let nonce = &body[nonce + 2..nonce + 2 + usize::from(body[nonce + 1])];
        let mut stamp = Stamp {
            after: i64::try_from(since()).unwrap(),
            over: Some(body[digest..digest + 32].try_into().unwrap()),
            nonce: Some(nonce.to_vec()),
            ..Stamp::default()
        };
        (state.stamp)(&mut stamp);
        let mut response = Response::new(201, "");
        response.body = self.sigstore.tsa.stamp(b"", &stamp);
        response
    }

    fn discovery(&self) -> Value {
        json!({
            "issuer": format!("{}/oidc", self.base),
            "authorization_endpoint": format!("{}/oidc/auth", self.base),
            "token_endpoint": format!("{}/oidc/token", self.base),
        })
    }
}

/// Seconds from the fixed time of the recorded fakes to now.
pub fn since() -> u64 {
    let now = modelwatch::clock::now().as_second();
    u64::try_from(now - SIGNED_AT).unwrap()
}

/// An identity token with these claims; no test verifies its signature.
pub fn token(claims: &Value) -> String {
    let now = u64::try_from(modelwatch::clock::now().as_second()).unwrap();
    let mut all =
        json!({"aud": "sigstore", "iat": now - 10, "nbf": now - 10, "exp": now + DAY_SECONDS});
    for (name, value) in claims.as_object().unwrap() {
        all[name] = value.clone();
    }
    let part = |text: &str| crate::fake::base64url(text.as_bytes());
    format!(
        "{}.{}.{}",
        part(r#"{"alg":"RS256"}"#),
        part(&all.to_string()),
        part("signature")
    )
}

/// The claims of a workflow that signs as `fake::IDENTITY`.
pub fn workflow() -> Value {
    json!({
        "iss": crate::fake::ISSUER,
        "sub": "repo:o/falcon:ref:refs/tags/v1.0.0",
        "job_workflow_ref": crate::fake::IDENTITY.strip_prefix("https://github.com/").unwrap(),
    })
}

fn id_of(log: &Log) -> String {
    base64(crate::fake::unhex(&log.id()))
}
