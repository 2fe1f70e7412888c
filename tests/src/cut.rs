//! A line to a server that a test can cut and mend.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Passes connections on to a server. Gone with this.
#[derive(Debug)]
pub struct Cut {
    url: String,
    whole: Arc<AtomicBool>,
    lines: Arc<Mutex<JoinSet<()>>>,
    listener: JoinSet<()>,
}

impl Cut {
    /// A line to the server of a URL with a host and a port.
    ///
    /// # Panics
    /// When there is no port to be had.
    pub async fn before(url: &str) -> Self {
        let (scheme, rest) = url.split_once("://").expect("a URL");
        let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let ours = listener.local_addr().expect("an address");
        let mut cut = Self {
            url: format!("{scheme}://{ours}/{path}"),
            whole: Arc::new(AtomicBool::new(true)),
            lines: Arc::default(),
            listener: JoinSet::new(),
        };
        let (whole, lines) = (Arc::clone(&cut.whole), Arc::clone(&cut.lines));
        let address = address.to_owned();
        cut.listener.spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                if !whole.load(Ordering::Relaxed) {
                    continue;
                }
                let address = address.clone();
                let line = async move {
                    if let Ok(mut far) = TcpStream::connect(address).await {
                        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                    }
                };
                lines
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .spawn(line);
            }
        });
        cut
    }

    /// The server's URL by way of this line.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Breaks all connections, and lets no new one through.
    pub fn cut(&self) {
        self.whole.store(false, Ordering::Relaxed);
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.abort_all();
    }

    /// Lets new connections through again.
    pub fn mend(&self) {
        self.whole.store(true, Ordering::Relaxed);
    }
}
