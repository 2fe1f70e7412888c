//! Somebody else's server: it takes what it is sent, and answers what the test says.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::IntoResponse;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// One delivery as it arrived.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).expect(name);
        value.to_str().expect("text")
    }

    /// Whether the signature is right, by the specification's own library.
    pub(crate) fn is_signed_with(&self, secret: &str) -> bool {
        let webhook = standardwebhooks::Webhook::new(secret).expect("a secret");
        webhook.verify(self.body.as_bytes(), &self.headers).is_ok()
    }
}

/// An answer: a status, and a header.
pub(crate) type Reply = (u16, Option<(&'static str, String)>);

struct Desk {
    arrived: mpsc::UnboundedSender<Received>,
    replies: Mutex<VecDeque<Reply>>,
}

pub(crate) struct Receiver {
    address: SocketAddr,
    desk: Arc<Desk>,
    arrivals: mpsc::UnboundedReceiver<Received>,
    _server: AbortOnDropHandle<()>,
}

impl Receiver {
    #[expect(
        clippy::disallowed_methods,
        reason = "ends with the value that holds it"
    )]
    pub(crate) async fn start() -> Self {
        let (arrived, arrivals) = mpsc::unbounded_channel();
        let desk = Arc::new(Desk {
            arrived,
            replies: Mutex::default(),
        });
        let router = Router::new().fallback(take).with_state(Arc::clone(&desk));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("serves");
        });
        Self {
            address,
            desk,
            arrivals,
            _server: AbortOnDropHandle::new(server),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook?token=theirs", self.address)
    }

    pub(crate) const fn port(&self) -> u16 {
        self.address.port()
    }

    /// Answers the next deliveries so; those that follow with 204. 0 stands for no answer at all.
    pub(crate) fn reply(&self, replies: impl IntoIterator<Item = Reply>) {
        let mut all = self
            .desk
            .replies
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        all.extend(replies);
    }

    pub(crate) async fn next(&mut self) -> Received {
        self.arrivals.recv().await.expect("a delivery")
    }

    /// That nothing has come that was not asked for.
    pub(crate) fn nothing_more(&mut self) {
        if let Ok(received) = self.arrivals.try_recv() {
            panic!("{received:?}");
        }
    }
}

async fn take(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    body: String,
) -> impl IntoResponse {
    let reply = {
        let mut replies = desk.replies.lock().unwrap_or_else(PoisonError::into_inner);
        replies.pop_front().unwrap_or((204, None))
    };
    desk.arrived
        .send(Received { headers, body })
        .unwrap_or_default();
    let (status, header) = reply;
    if status == 0 {
        std::future::pending::<()>().await;
    }
    let mut answer = HeaderMap::new();
    if let Some((name, value)) = header {
        let value = value.parse().expect("a value");
        answer.insert(HeaderName::from_static(name), value);
    }
    (
        StatusCode::from_u16(status).expect("a status"),
        answer,
        "theirs".repeat(50_000),
    )
}
