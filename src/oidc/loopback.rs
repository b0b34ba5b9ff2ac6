//! The port of this machine to which the browser brings the answer (RFC 8252 §7.3).
//!
//! Every program and every page in a browser can send requests to it. So only a navigation to the right path counts, by a
//! program of the same user, with the `state` of this sign-in; the rest is refused and changes nothing, except that a
//! navigation with another state ends the sign-in.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use secrecy::SecretString;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use url::form_urlencoded;

use super::endpoint::cut;
use super::error::OidcError;
use super::page;
use super::peer;
use super::sign_in::{SignIn, refusal};

/// The path that is registered for Sigstore's clients at its provider.
const PATH: &str = "/auth/callback";
/// How long a person may take to sign in.
const PATIENCE: Duration = Duration::from_mins(5);
/// Longest head of a request: a code and a state, and what browsers add.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// How long one request may take: both ends are on this machine.
const REQUEST_PATIENCE: Duration = Duration::from_secs(5);
/// How many connections are open at a time. Browsers open two or three ahead of need.
const MAX_CONNECTIONS: usize = 32;

/// A port of this machine that waits for the browser.
#[derive(Debug)]
pub struct Loopback {
    v4: TcpListener,
    /// `localhost` is this address first in most browsers.
    v6: Option<TcpListener>,
    port: u16,
}

/// What a request must be.
#[derive(Clone, Debug)]
struct Expected {
    state: String,
    issuer: String,
    names_itself: bool,
    hosts: [String; 3],
}

impl Loopback {
    /// Takes a free port.
    ///
    /// # Errors
    ///
    /// [`OidcError::Loopback`].
    pub async fn bind() -> Result<Self, OidcError> {
        let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let v4 = v4.map_err(OidcError::Loopback)?;
        let port = v4.local_addr().map_err(OidcError::Loopback)?.port();
        // A machine may have no IPv6, and another program this port.
        let v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await.ok();
        Ok(Self { v4, v6, port })
    }

    /// Where the browser must bring the answer.
    pub fn redirect_uri(&self) -> String {
        format!("http://localhost:{}{PATH}", self.port)
    }

    /// Waits for the browser, five minutes at most, and answers the code.
    ///
    /// # Errors
    ///
    /// [`OidcError`]: the sign-in was refused, another one came back, or none.
    pub async fn code(self, sign_in: &SignIn<'_>) -> Result<SecretString, OidcError> {
        let provider = sign_in.provider();
        let expected = Expected {
            state: sign_in.state().to_owned(),
            issuer: provider.issuer.clone(),
            names_itself: provider.names_itself,
            hosts: ["localhost", "127.0.0.1", "[::1]"].map(|host| format!("{host}:{}", self.port)),
        };
        let came = timeout(PATIENCE, self.wait(expected)).await;
        came.map_err(|_| OidcError::Timeout(PATIENCE))?
    }

    async fn wait(self, expected: Expected) -> Result<SecretString, OidcError> {
        let mut open = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.accept(), if open.len() < MAX_CONNECTIONS => {
                    // A connection that is gone already is no failure of the sign-in.
                    if let Ok((stream, peer)) = accepted {
                        let expected = expected.clone();
                        open.spawn(async move { serve(stream, peer, &expected).await });
                    }
                }
                Some(served) = open.join_next() => {
                    if let Ok(Some(came)) = served {
                        return came;
                    }
                }
            }
        }
    }

    async fn accept(&self) -> std::io::Result<(TcpStream, SocketAddr)> {
        match &self.v6 {
            Some(v6) => tokio::select! {
                accepted = self.v4.accept() => accepted,
                accepted = v6.accept() => accepted,
            },
            None => self.v4.accept().await,
        }
    }
}

/// What to do about a request.
enum Verdict {
    /// It is refused, and the sign-in goes on.
    Refused(&'static str, &'static str),
    /// The sign-in is over.
    Came(Result<SecretString, OidcError>),
}

/// Answers one request; `None` if it does not end the sign-in.
async fn serve(
    mut stream: TcpStream,
    peer: SocketAddr,
    expected: &Expected,
) -> Option<Result<SecretString, OidcError>> {
    let head = timeout(REQUEST_PATIENCE, head(&mut stream)).await.ok()??;
    let is_foreign = stream.local_addr().map_or(true, |own| {
        !peer.ip().is_loopback() || peer::is_another_users(own, peer)
    });
    let verdict = if is_foreign {
        Verdict::Refused("403 Forbidden", "This port answers its own user alone.")
    } else {
        judge(&head, expected)
    };
    let answer = match &verdict {
        Verdict::Refused(status, why) => page::answer(status, "Refused", why),
        Verdict::Came(Ok(_)) => page::answer(
            "200 OK",
            "Signed in",
            "You can close this page. The terminal shows under which name the model is signed.",
        ),
        Verdict::Came(Err(why)) => page::answer(
            "400 Bad Request",
            "Not signed in",
            &format!("{why}. You can close this page."),
        ),
    };
    let written = timeout(REQUEST_PATIENCE, async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    });
    // A browser that does not wait for the page has brought the answer all the same.
    let _ = written.await;
    match verdict {
        Verdict::Refused(..) => None,
        Verdict::Came(came) => Some(came),
    }
}

/// The head of a request; `None` if it ends early or is too long.
async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut piece = [0; 4096];
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let read = stream.read(&mut piece).await.ok()?;
        if read == 0 || head.len() + read > MAX_HEAD_BYTES {
            return None;
        }
        head.extend_from_slice(piece.get(..read)?);
    }
    String::from_utf8(head).ok()
}

fn judge(head: &str, expected: &Expected) -> Verdict {
    let mut request = head.split("\r\n").next().unwrap_or_default().split(' ');
    let (method, target) = (request.next(), request.next().unwrap_or_default());
    let header = |name: &str| {
        let mut found = head.split("\r\n").skip(1).filter_map(|line| {
            let (found, value) = line.split_once(':')?;
            found
                .trim()
                .eq_ignore_ascii_case(name)
                .then(|| value.trim())
        });
        found.next()
    };
    // With another name for this address, a page could read the answer (DNS rebinding).
    let host = header("host").unwrap_or_default();
    if !expected
        .hosts
        .iter()
        .any(|own| own.eq_ignore_ascii_case(host))
    {
        return Verdict::Refused("421 Misdirected Request", "This is another host.");
    }
    if method != Some("GET") {
        return Verdict::Refused("405 Method Not Allowed", "Only GET is answered.");
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if path != PATH {
        return Verdict::Refused("404 Not Found", "Nothing is here.");
    }
    // A page in the background; the answer to a sign-in is a navigation. Old browsers do not send it.
    if header("sec-fetch-mode").is_some_and(|mode| mode != "navigate") {
        return Verdict::Refused("403 Forbidden", "Only a navigation is answered.");
    }
    Verdict::Came(code(query, expected))
}

/// The code in the answer (RFC 6749 §4.1.2).
fn code(query: &str, expected: &Expected) -> Result<SecretString, OidcError> {
    let one = |name: &str| {
        let mut values = form_urlencoded::parse(query.as_bytes())
            .filter(|(found, _)| found == name)
            .map(|(_, value)| value.into_owned());
        // RFC 6749 §3.1: no parameter twice.
        let value = values.next()?;
        values.next().is_none().then_some(value)
    };
    if one("state").as_deref() != Some(expected.state.as_str()) {
        return Err(OidcError::State);
    }
    // RFC 9207: the answer of another provider, to which a person was led, must not be used here.
    let issuer = one("iss");
    if issuer
        .as_ref()
        .map_or(expected.names_itself, |issuer| *issuer != expected.issuer)
    {
        return Err(OidcError::OtherIssuer {
            what: "the answer of the browser",
            found: cut(&issuer.unwrap_or_default()),
            asked: expected.issuer.clone(),
        });
    }
    if let Some(error) = one("error") {
        let why = refusal(&error, one("error_description").as_deref());
        return Err(OidcError::Denied(why));
    }
    match one("code") {
        Some(code) if !code.is_empty() => Ok(SecretString::from(code)),
        _ => Err(OidcError::Denied("it gives no code".to_owned())),
    }
}
