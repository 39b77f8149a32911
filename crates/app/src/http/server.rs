//! Accepts connections within limits, with timeouts and a graceful shutdown.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Endpoint, Response};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_io_timeout::TimeoutStream;
use tracing::{debug, warn};
use waggle_settings::Values;

use super::head_deadline::{HeadDeadline, Phase};
use super::shares::Shares;

/// The maximum time for the head of a request, from the start of the connection or its first byte.
const HEAD: Duration = Duration::from_secs(10);
/// How long a client may leave a response unread before the connection is closed.
const WRITE: Duration = Duration::from_secs(20);
/// The maximum size of the head of a request, in bytes.
const MOST_HEAD: usize = 64 * 1024;

/// The response to a client that has too many connections.
const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\n\
                          content-length: 0\r\nconnection: close\r\n\r\n";

/// Accepts connections until `stop` is true, then finishes the requests in progress. The number of
/// open connections is limited in total and per address.
pub(super) async fn run<E>(
    listener: TcpListener,
    endpoint: Arc<E>,
    shares: Shares,
    values: impl Fn() -> Arc<Values>,
    mut stop: watch::Receiver<bool>,
) where
    E: Endpoint<Output = Response> + 'static,
{
    let most = || values().http_max_connections.count();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).max_buf_size(MOST_HEAD);
    let graceful = GracefulShutdown::new();
    let mut places_made = most();
    let places = Arc::new(Semaphore::new(places_made));
    let local = listener.local_addr().map(Addr::from).unwrap_or_default();
    loop {
        // If the limit was lowered, the places of open connections are removed once they are free.
        let wanted = most();
        places.add_permits(wanted.saturating_sub(places_made));
        let too_many = places.forget_permits(places_made.saturating_sub(wanted));
        places_made = places_made.max(wanted) - too_many;
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place,
            // The limit may have been raised.
            () = tokio::time::sleep(Duration::from_secs(1)) => continue,
            () = stopped(&mut stop) => break,
        };
        let Ok(place) = place else { break };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Most likely there are no file descriptors left: wait until others are closed.
                    warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = stopped(&mut stop) => break,
        };
        let _ = stream.set_nodelay(true);
        let (address, now) = (peer.ip().to_canonical(), values());
        // The connections of a proxy belong to its clients, so they are not counted.
        let share = if now.trusted_proxies.contains(address) {
            None
        } else {
            let most = now.http_connections_per_address.count();
            let Some(share) = shares.connect(address, most) else {
                let _ = stream.try_write(TOO_MANY);
                continue;
            };
            Some(share)
        };
        let keep_alive = now.http_keep_alive.duration().to_std().unwrap_or(HEAD);
        http.header_read_timeout(keep_alive.max(HEAD));
        let (endpoint, local) = (Arc::clone(&endpoint), local.clone());
        let phase = Phase::default();
        let of_service = phase.clone();
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let (local, remote) = (LocalAddr(local.clone()), RemoteAddr(Addr::from(peer)));
            let request = poem::Request::from((request, local, remote, Scheme::HTTP));
            let (endpoint, phase) = (Arc::clone(&endpoint), of_service.clone());
            phase.request();
            async move {
                let response = endpoint.get_response(request).await;
                phase.idle();
                Ok::<_, Infallible>(hyper::Response::from(response))
            }
        });
        // A client that does not read its response must not keep it in memory forever.
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(WRITE));
        let stream = TokioIo::new(HeadDeadline::new(Box::pin(stream), phase, HEAD));
        let connection = graceful.watch(http.serve_connection(stream, service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!(%error, "a connection ended early");
            }
            drop((place, share));
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // A dropped sender also means stop.
    let _ = stop.wait_for(|stop| *stop).await;
}
