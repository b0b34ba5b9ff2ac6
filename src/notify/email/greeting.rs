//! Detects whether a server that sends no greeting expects TLS.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long to wait for a greeting before testing for TLS. Most servers send it at once; some delay it by half a minute
/// against spammers.
pub(super) const MAX_DELAY: Duration = Duration::from_secs(2);

/// How long to wait for the answer to this test.
const ANSWER_TIME: Duration = Duration::from_secs(2);

/// Whether the server of `stream`, which sent nothing for `max_delay`, expects TLS from the first byte: it would wait
/// for the client while the client waits for the greeting.
///
/// The test uses a second connection, so that a server that is only slow can continue on the first.
pub(super) async fn waits_for_tls(stream: &TcpStream, max_delay: Duration) -> bool {
    if timeout(max_delay, stream.peek(&mut [0])).await.is_ok() {
        return false;
    }
    let Ok(server) = stream.peer_addr() else {
        return false;
    };
    matches!(
        timeout(ANSWER_TIME, answers_tls(server)).await,
        Ok(Ok(true))
    )
}

async fn answers_tls(server: SocketAddr) -> std::io::Result<bool> {
    /// Content types of TLS (RFC 8446 §5.1): one of them is the first byte of any answer.
    const ALERT: u8 = 21;
    const HANDSHAKE: u8 = 22;
    let mut stream = TcpStream::connect(server).await?;
    stream.write_all(&client_hello()).await?;
    let first = stream.read_u8().await?;
    Ok(matches!(first, ALERT | HANDSHAKE))
}

/// The first message of a client of TLS 1.2 (RFC 5246 §7.4.1.2). A server that requires another version or cipher
/// answers with an alert, which also shows TLS.
fn client_hello() -> Vec<u8> {
    // TLS_ECDHE_{RSA,ECDSA}_WITH_AES_{128,256}_GCM and TLS_RSA_WITH_AES_128_GCM_SHA256.
    const SUITES: [u8; 10] = [0xc0, 0x2f, 0xc0, 0x30, 0xc0, 0x2b, 0xc0, 0x2c, 0x00, 0x9c];
    // supported_groups: x25519, secp256r1; signature_algorithms: RSA-PSS, RSA, ECDSA with SHA-256.
    const EXTENSIONS: [u8; 22] = [
        0, 10, 0, 6, 0, 4, 0, 29, 0, 23, //
        0, 13, 0, 8, 0, 6, 8, 4, 4, 1, 4, 3,
    ];
    let mut body = vec![3, 3];
    body.extend(std::iter::repeat_with(|| fastrand::u8(..)).take(32));
    body.push(0); // no session
    body.extend([0, 10]);
    body.extend(SUITES);
    body.extend([1, 0]); // no compression
    body.extend([0, 22]);
    body.extend(EXTENSIONS);
    let length = u8::try_from(body.len()).expect("two hundred bytes at most");
    let mut message = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    message.extend(body);
    message
}
