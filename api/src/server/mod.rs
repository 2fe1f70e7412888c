//! Serving connections until the process is told to stop.

mod answer;
mod room;
mod watch;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::bounds::MAX_HEADERS;
use crate::routes::router;
use crate::state::ApiState;
use answer::Answer;
use room::{Place, Room};
use watch::{Heard, Overdue, Watch};

/// Most bytes of a request's header.
const MAX_HEADER: usize = 64 << 10;
/// Most requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 200;
/// Most requests of an HTTP/2 connection that were taken back before anything was done for them; the
/// connection ends with one more. Without such a limit a client makes work faster than it can be
/// thrown away.
const MAX_TAKEN_BACK: usize = 20;
/// Pause after a failure to accept: too many open files, for one, need time to go.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the API (HTTP/1.1, and HTTP/2 by prior knowledge) until the soft signal of the lifecycle.
/// Then no connection is accepted any more, callers that wait for a job are woken, and running
/// requests are finished, until the hard signal drops them.
pub async fn serve(listener: TcpListener, state: ApiState) -> io::Result<()> {
    let stop = state.lifecycle.soft.clone();
    let connections = TaskTracker::new();
    let router = router(state.clone());
    let options = &state.options;
    let room = Room::new(options.connections.most, options.trusted_proxies.clone());
    loop {
        // Whoever comes while there is no room waits to be accepted, in the queue of the system.
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = async {
                let free = room.wait().await;
                listener.accept().await.map(|accepted| (free, accepted))
            } => accepted,
        };
        match accepted {
            Ok((free, (stream, peer))) => {
                let Some(place) = room.enter(free, peer.ip()) else {
                    metrics::counter!("keyway_connections_cut_total", "by" => "address")
                        .increment(1);
                    continue;
                };
                // A request and its answer are small; waiting for more to send would cost 40 ms.
                stream.set_nodelay(true).unwrap_or_default();
                give_up_on_the_dead(&stream, state.options.connections.unread_timeout);
                let router = router.clone();
                connections.spawn(connection(stream, peer, place, router, state.clone()));
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection could be accepted");
                let stopped = tokio::time::timeout(ACCEPT_PAUSE, stop.cancelled()).await;
                if stopped.is_ok() {
                    break;
                }
            }
        }
    }
    drop(listener);
    state.queue.wake_all();
    connections.close();
    connections.wait().await;
    Ok(())
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    place: Place,
    router: Router,
    state: ApiState,
) {
    let _place = place;
    let watch = Arc::new(Watch::new(state.options.connections));
    let service = service_fn(|request: Request<Incoming>| {
        let ticket = watch.begin(request.version() == Version::HTTP_2);
        let router = router.clone();
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            let response = router.oneshot(request).await?;
            Ok::<_, std::convert::Infallible>(response.map(|body| Answer::new(body, ticket)))
        }
    });
    let builder = builder();
    let stream = TokioIo::new(Heard::new(stream, Arc::clone(&watch)));
    let serving = builder.serve_connection(stream, service);
    tokio::pin!(serving);
    let (soft, hard) = (&state.lifecycle.soft, &state.lifecycle.hard);
    let (mut draining, mut idle) = (false, false);
    loop {
        tokio::select! {
            ended = &mut serving => {
                if let Err(error) = ended {
                    tracing::debug!(error, "a connection broke off");
                }
                return;
            }
            overdue = watch.overdue() => {
                if overdue != Overdue::Idle {
                    metrics::counter!("keyway_connections_cut_total", "by" => overdue.as_str())
                        .increment(1);
                    return;
                }
                // It may end in order, as long again.
                if idle {
                    return;
                }
                idle = true;
                watch.again();
                serving.as_mut().graceful_shutdown();
            }
            () = soft.cancelled(), if !draining => {
                draining = true;
                serving.as_mut().graceful_shutdown();
            }
            () = hard.cancelled() => return,
        }
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // Ours also counts before the first byte, and not between two requests.
        .header_read_timeout(None)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEADER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_TAKEN_BACK)
        .max_header_list_size(MAX_HEADER as u32)
        .keep_alive_interval(Some(Duration::from_secs(30)));
    builder
}

/// A client whose machine went away without a word takes what is sent to it into nobody's memory. The
/// system gives up on it after a quarter of an hour; we, after the time that any answer may go untaken.
fn give_up_on_the_dead(stream: &TcpStream, after: Duration) {
    let idle = after.max(Duration::from_secs(1));
    let set = sockopt::set_socket_keepalive(stream, true)
        .and_then(|()| sockopt::set_tcp_keepidle(stream, idle));
    #[cfg(target_os = "linux")]
    let set = set.and_then(|()| {
        let after = u32::try_from(after.as_millis()).unwrap_or(u32::MAX);
        sockopt::set_tcp_user_timeout(stream, after)
    });
    if let Err(error) = set {
        tracing::debug!(%error, "a connection's times could not be set");
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}
