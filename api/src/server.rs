//! Serving connections until the process is told to stop.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::routes::router;
use crate::state::ApiState;

/// How long a client may take to send a request's header.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
/// Most bytes of a request's header.
const MAX_HEADER: usize = 64 << 10;
/// Most requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 200;
/// Pause after a failure to accept: too many open files, for one, need time to go.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the API (HTTP/1.1, and HTTP/2 by prior knowledge) until the soft signal of the lifecycle.
/// Then no connection is accepted any more, callers that wait for a job are woken, and running
/// requests are finished, until the hard signal drops them.
pub async fn serve(listener: TcpListener, state: ApiState) -> io::Result<()> {
    let stop = state.lifecycle.soft.clone();
    let connections = TaskTracker::new();
    let router = router(state.clone());
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                // A request and its answer are small; waiting for more to send would cost 40 ms.
                stream.set_nodelay(true).unwrap_or_default();
                connections.spawn(connection(stream, peer, router.clone(), state.clone()));
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

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, state: ApiState) {
    let service = TowerToHyperService::new(router.map_request(
        move |mut request: axum::http::Request<_>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            request
        },
    ));
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER as u32)
        .keep_alive_interval(Some(Duration::from_secs(30)));
    let serving = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::pin!(serving);
    let (soft, hard) = (&state.lifecycle.soft, &state.lifecycle.hard);
    let mut draining = false;
    loop {
        tokio::select! {
            ended = &mut serving => {
                if let Err(error) = ended {
                    tracing::debug!(error, "a connection broke off");
                }
                return;
            }
            () = soft.cancelled(), if !draining => {
                draining = true;
                serving.as_mut().graceful_shutdown();
            }
            () = hard.cancelled() => return,
        }
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
