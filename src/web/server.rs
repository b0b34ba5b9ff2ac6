//! Connections: how many there may be, and how long a request may take.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tower_service::Service as _;

use super::listener::{Listener, Peer, Stream};
use super::routes;
use super::site::Site;
use crate::monitor::Stop;

/// Connections at the same time; others wait until one has ended.
const MAX_CONNECTIONS: usize = 64;

/// How long a client may take to send the headers of a request; also how long an idle connection is kept.
const HEADER_TIME: Duration = Duration::from_secs(10);

/// How long a connection may be used. Then it is closed after the present answer, for which the client has
/// [`CLOSING_TIME`]: so one that reads slowly does not hold it forever.
const CONNECTION_TIME: Duration = Duration::from_mins(1);

/// How long an answer may take to be read when the connection is to be closed.
const CLOSING_TIME: Duration = Duration::from_secs(30);

/// Longest head of a request: its line and its headers.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Most headers of a request.
const MAX_HEADERS: usize = 64;

/// How long to wait after a connection could not be accepted: mostly because too many files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// Serves the site until `stop` is requested.
pub async fn serve(listener: Listener, site: Arc<Site>, stop: Stop) {
    let router = routes::router(site);
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            () = stop.wait() => return,
            accepted = accept(&listener, &connections) => accepted,
        };
        match accepted {
            Ok((stream, peer, permit)) => {
                let (router, stop) = (router.clone(), stop.clone());
                tokio::spawn(async move {
                    connection(stream, peer, router, &stop).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!("web: a connection cannot be accepted: {error}");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The next connection, when there may be one more.
async fn accept(
    listener: &Listener,
    connections: &Arc<Semaphore>,
) -> std::io::Result<(Box<dyn Stream>, Peer, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(connections).acquire_owned().await;
    let permit = permit.map_err(std::io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, permit))
}

async fn connection(stream: Box<dyn Stream>, peer: Peer, router: Router, stop: &Stop) {
    let service =
        service_fn(move |request: Request<Incoming>| answer(router.clone(), peer, request));
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS);
    let mut served = pin!(protocol.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = sleep(CONNECTION_TIME) => close(served.as_mut()).await,
        () = stop.wait() => close(served.as_mut()).await,
    };
    if let Err(error) = ended {
        // Clients that go away, and requests that are not HTTP.
        tracing::debug!("web: {error}");
    }
}

/// Closes a connection after its present answer, or at once if that takes too long.
async fn close<S>(
    mut served: std::pin::Pin<&mut http1::Connection<TokioIo<Box<dyn Stream>>, S>>,
) -> hyper::Result<()>
where
    S: hyper::service::HttpService<Incoming, ResBody = Body>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    served.as_mut().graceful_shutdown();
    timeout(CLOSING_TIME, served).await.unwrap_or(Ok(()))
}

fn answer(
    mut router: Router,
    peer: Peer,
    mut request: Request<Incoming>,
) -> impl Future<Output = Result<Response, Infallible>> {
    request.extensions_mut().insert(peer);
    router.call(request)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::Instant;

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

    /// A page that is longer than what fits between both ends of a connection.
    fn router() -> Router {
        Router::new().route("/", get(async || "x".repeat(1 << 20)))
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_its_headers_slowly_loses_the_connection() {
        let (mut client, other_end) = duplex(1 << 10);
        let begun = Instant::now();
        let served = tokio::spawn(async move {
            connection(
                Box::new(other_end),
                Peer::Socket,
                router(),
                &Stop::default(),
            )
            .await;
        });
        client.write_all(b"GET / HTTP/1.1\r\nHost: ").await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        served.await.unwrap();
        assert!(begun.elapsed() <= 2 * HEADER_TIME, "{:?}", begun.elapsed());
        assert!(!answer.starts_with(b"HTTP/1.1 200"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_loses_the_connection() {
        let (mut client, other_end) = duplex(1 << 10);
        let begun = Instant::now();
        client.write_all(REQUEST).await.unwrap();
        connection(
            Box::new(other_end),
            Peer::Socket,
            router(),
            &Stop::default(),
        )
        .await;
        let elapsed = begun.elapsed();
        let limit = CONNECTION_TIME + CLOSING_TIME;
        assert!(
            elapsed >= CONNECTION_TIME && elapsed <= 2 * limit,
            "{elapsed:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_read_is_finished_when_the_server_stops() {
        let (mut client, other_end) = duplex(1 << 10);
        let stop = Stop::default();
        let stopped = stop.clone();
        let served = tokio::spawn(async move {
            connection(Box::new(other_end), Peer::Socket, router(), &stopped).await;
        });
        client.write_all(REQUEST).await.unwrap();
        let mut first = [0; 100];
        client.read_exact(&mut first).await.unwrap();
        stop.request();
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.unwrap();
        served.await.unwrap();
        assert!(first.starts_with(b"HTTP/1.1 200"));
        assert!(first.len() + rest.len() > 1 << 20);
    }
}
