//! What every stand-in runs on: an address, and answers from it until it is stopped or dropped.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::listener::{BreakableListener, Breaker};

/// An address where nobody answers yet: what a stand-in says of itself may bear it.
pub(crate) struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

impl Bound {
    /// Port 0 stands for a free one.
    pub(crate) async fn to(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    pub(crate) fn url(&self) -> String {
        url(self.address)
    }

    /// Begins to answer.
    pub(crate) fn serve(self, router: Router) -> Server {
        let stop = CancellationToken::new();
        let tracker = TaskTracker::new();
        let stopped = stop.clone().cancelled_owned();
        let listener = BreakableListener(self.listener);
        tracker.spawn(async move {
            let service = router.into_make_service_with_connect_info::<Breaker>();
            let served = axum::serve(listener, service)
                .with_graceful_shutdown(stopped)
                .await;
            if let Err(error) = served {
                tracing::error!(%error, "the stand-in stopped");
            }
        });
        Server {
            address: self.address,
            stop,
            tracker,
        }
    }
}

/// Answers until it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl Server {
    pub(crate) fn url(&self) -> String {
        url(self.address)
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops answering, and waits for what is being answered.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}
