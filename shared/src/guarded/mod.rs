//! The one client that calls addresses which users give: it follows no redirect, takes no proxy from
//! the environment, reaches no network that is not everybody's, and keeps nothing of an answer but its
//! status.
//!
//! What a name stands for is asked by the client itself and checked before it connects, to exactly the
//! addresses that were checked: there is no second look-up that could say something else.

mod address;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

pub use address::{BadTarget, check_target, is_global};

/// How we name ourselves to receivers.
const USER_AGENT: &str = crate::providers::http::USER_AGENT;
/// So much of an answer is read and thrown away, so that the connection can be used again.
const DISCARDED: usize = 16 * 1024;

/// Why a call got no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The address, or what its name stands for, must not be called. Nothing was sent.
    #[error("the address must not be called")]
    Refused,
    /// No connection, no TLS, no answer in time.
    #[error("there was no answer")]
    NoAnswer,
    /// The client cannot be made, as a rule because the system has no root certificates.
    #[error("the client cannot be made: are the system's root certificates installed?")]
    Setup,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// `Retry-After`, as it came.
    pub retry_after: Option<String>,
}

/// The client.
#[derive(Debug, Clone)]
pub struct GuardedClient {
    client: reqwest::Client,
    allow_private: bool,
}

impl GuardedClient {
    /// A client whose calls take at most `timeout`, from looking the name up to the last byte.
    /// `allow_private` leaves out what keeps it from our own networks, and takes plain http too.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that makes clients for addresses of users"
    )]
    pub fn new(allow_private: bool, timeout: Duration) -> Result<Self, CallError> {
        // The program installs it first thing; a test may not have. A second one is refused and meant.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .no_gzip()
            .https_only(!allow_private)
            .dns_resolver(Arc::new(Checked { allow_private }))
            .connect_timeout(timeout / 2)
            .timeout(timeout)
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(1)
            .build()
            .map_err(|_| CallError::Setup)?;
        Ok(Self {
            client,
            allow_private,
        })
    }

    /// Posts JSON. Any status is an answer, a redirect too.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that calls addresses of users"
    )]
    pub async fn post(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        body: String,
    ) -> Result<Answered, CallError> {
        // An address in figures is never looked up, so it is judged here.
        let url = check_target(url, self.allow_private).map_err(|_| CallError::Refused)?;
        let mut request = self
            .client
            .post(url)
            .header(reqwest::header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let sent = request.body(body).send().await;
        let mut response = sent.map_err(|error| failure(&error))?;
        let answered = Answered {
            status: response.status().as_u16(),
            retry_after: response
                .headers()
                .get(reqwest::header::RETRY_AFTER)
                .and_then(|value| value.to_str().ok())
                .map(ToOwned::to_owned),
        };
        let mut read = 0;
        while let Ok(Some(chunk)) = response.chunk().await {
            read += chunk.len();
            if read > DISCARDED {
                break;
            }
        }
        Ok(answered)
    }
}

fn failure(error: &reqwest::Error) -> CallError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<NotPublic>() {
            return CallError::Refused;
        }
        // What the resolver says arrives wrapped, and not always as a source.
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        if inner.is_some_and(<dyn std::error::Error + Send + Sync>::is::<NotPublic>) {
            return CallError::Refused;
        }
        cause = error.source();
    }
    CallError::NoAnswer
}

/// A name stands for an address that is not everybody's.
#[derive(Debug, thiserror::Error)]
#[error("the name stands for an address that is not public")]
struct NotPublic;

/// Looks names up as the system does, and gives only addresses that may be called: all of a name's or
/// none, since a name that leads to both kinds is none of an honest receiver.
#[derive(Debug)]
struct Checked {
    allow_private: bool,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if !allow_private && !found.iter().all(|address| is_global(address.ip())) {
                return Err(NotPublic.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    const SECOND: Duration = Duration::from_secs(10);

    async fn post(allow_private: bool, url: &str) -> Result<u16, CallError> {
        let client = GuardedClient::new(allow_private, SECOND).unwrap();
        let answered = client.post(url, &[], "{}".to_owned()).await;
        answered.map(|answered| answered.status)
    }

    /// Answers each connection with the same bytes; gives its port and how many there were.
    async fn answer(bytes: String) -> (u16, Arc<std::sync::atomic::AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let seen = Arc::clone(&count);
        tokio_util::task::TaskTracker::new().spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(bytes.as_bytes()).await;
            }
        });
        (port, count)
    }

    #[tokio::test]
    async fn private_targets_are_refused_before_anything_is_sent() {
        let (port, count) = answer("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned()).await;
        for host in [
            "127.0.0.1",
            "localhost",
            "[::1]",
            "[::ffff:10.0.0.1]",
            "[::ffff:127.0.0.1]",
            "169.254.169.254",
            "10.0.0.1",
            "0.0.0.0",
            "0x7f.1",
        ] {
            let url = format!("https://{host}:{port}/");
            assert_eq!(post(false, &url).await, Err(CallError::Refused), "{url}");
        }
        assert_eq!(count.load(std::sync::atomic::Ordering::Relaxed), 0);
        assert_eq!(
            post(true, &format!("http://127.0.0.1:{port}/")).await,
            Ok(200)
        );
        assert_eq!(
            post(true, &format!("http://localhost:{port}/")).await,
            Ok(200)
        );
    }

    #[tokio::test]
    async fn a_name_is_judged_by_what_it_stands_for() {
        // The name passes the look at the address itself: only the resolver can refuse it.
        let name: Name = "localhost".parse().unwrap();
        let checked = Checked {
            allow_private: false,
        };
        let refused = checked.resolve(name).await.err().expect("a refusal");
        assert!(refused.is::<NotPublic>());
        // And through the whole client, as an error of the connection.
        let client = GuardedClient::new(false, SECOND).unwrap();
        let mut request = client.client.post("https://localhost:1/").build().unwrap();
        request.headers_mut().clear();
        let error = client.client.execute(request).await.expect_err("a refusal");
        assert_eq!(failure(&error), CallError::Refused);
    }

    #[tokio::test]
    async fn redirects_are_answers() {
        let (inner, reached) =
            answer("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned()).await;
        let (port, _) = answer(format!(
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:{inner}/\r\ncontent-length: 0\r\n\r\n"
        ))
        .await;
        assert_eq!(
            post(true, &format!("http://127.0.0.1:{port}/")).await,
            Ok(307)
        );
        assert_eq!(reached.load(std::sync::atomic::Ordering::Relaxed), 0);
    }
}
