//! The door to the providers' APIs: one client per origin, with limits on time and size, no
//! redirects, and every call counted, traced and measured.
//!
//! It says what a broken transport means; what an answer means is for the provider's own code to
//! judge. It never retries, and neither a URL nor a body ever reaches a span, a log or a metric.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tracing::Instrument;
use zeroize::Zeroizing;

use super::authorization::{Authorize, HeaderValue, bearer};
use super::message::{Answer, Body, Call, Verb};
use super::{CallEnd, CallFamily, ProviderError, Quota, Session};
use crate::ambient::Ambient;
use crate::domain::connection::ProviderName;

/// Largest answer that is read, after decompression. A project with a thousand variables of the
/// largest size would need more, but a deployment of it cannot exist.
pub const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// Longest segment of a path: more than the longest name of a variable.
const MAX_SEGMENT: usize = 1_024;

/// Stands for the status of an answer that has not come.
const NO_ANSWER: u16 = 0;

/// How we name ourselves to providers.
pub const USER_AGENT: &str = concat!("keyway-integrations/", env!("CARGO_PKG_VERSION"));

/// What may stand in a path segment as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Why a client cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The configured address is not an origin.
    #[error("{0} must be http:// or https:// with a host and no path")]
    Origin(&'static str),
    /// TLS could not be set up, as a rule because the system has no root certificates.
    #[error("the client for {0} cannot be made: are the system's root certificates installed?")]
    Tls(ProviderName),
}

/// An error of a provider's client that knows what kind it is.
pub trait Classified: From<ProviderError> {
    /// The kind.
    fn class(&self) -> &ProviderError;

    /// How many calls the provider takes in a window, when the refusal says so.
    fn told_total(&self) -> Option<u32> {
        None
    }
}

impl Classified for ProviderError {
    fn class(&self) -> &ProviderError {
        self
    }
}

/// The client of one origin.
#[derive(Debug, Clone)]
pub struct HttpClient {
    client: reqwest::Client,
    provider: ProviderName,
    origin: String,
    host: String,
    authorize: Authorize,
    ambient: Ambient,
}

impl HttpClient {
    /// A client for `origin`, which sends tokens as bearers. `setting` names the origin in errors.
    pub fn new(
        provider: ProviderName,
        setting: &'static str,
        origin: &str,
        timeout: Duration,
        ambient: Ambient,
    ) -> Result<Self, SetupError> {
        let url = reqwest::Url::parse(origin).map_err(|_| SetupError::Origin(setting))?;
        let plain = url.scheme() == "http";
        let bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        let host = match url.host_str() {
            Some(host) if bare && (plain || url.scheme() == "https") => host.to_owned(),
            _ => return Err(SetupError::Origin(setting)),
        };
        let client = build(plain, timeout).map_err(|_| SetupError::Tls(provider))?;
        Ok(Self {
            client,
            provider,
            origin: url.origin().ascii_serialization(),
            host,
            authorize: bearer,
            ambient,
        })
    }

    /// The same for a provider that takes its credentials in another way.
    #[must_use]
    pub fn authorized_by(mut self, authorize: Authorize) -> Self {
        self.authorize = authorize;
        self
    }

    /// The origin, in its canonical form.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Makes a call with the session's leave and credential and lets `judge` say what the answer
    /// means. Without a session the call bears no credential (OAuth).
    pub async fn call<T, E: Classified>(
        &self,
        session: Option<&Session>,
        mut call: Call<'_>,
        judge: impl FnOnce(&Answer) -> Result<T, E> + Send,
    ) -> Result<T, E> {
        let (family, writes) = (call.family, call.writes());
        let body = std::mem::replace(&mut call.body, Body::None);
        let request = self.request(session, &call, body)?;
        if let Some(session) = session {
            session.calls.begin(family).await?;
        }
        let span = tracing::debug_span!(
            "provider.call",
            otel.name = %format_args!("provider.{}.{}", self.provider, call.op),
            host = %self.host,
            route = call.route,
            status = tracing::field::Empty,
            attempt = session.map_or(1, |session| session.calls.made()),
        );
        let record = Record {
            client: self,
            session,
            family,
            started: self.ambient.elapsed(),
            status: AtomicU16::new(NO_ANSWER),
            open: true,
        };
        let (result, mut quota) = async {
            let answer = self.exchange(request, writes, &span, &record.status);
            match answer.await {
                Ok(answer) => (judge(&answer), answer.quota()),
                Err(error) => (Err(error.into()), Quota::default()),
            }
        }
        .instrument(span.clone())
        .await;
        let error = result.as_ref().err();
        quota.total = error.and_then(Classified::told_total).or(quota.total);
        let end = CallEnd {
            error: error.map(Classified::class),
            quota,
        };
        record.finish(end).await;
        result
    }

    fn request(
        &self,
        session: Option<&Session>,
        call: &Call<'_>,
        body: Body,
    ) -> Result<reqwest::RequestBuilder, ProviderError> {
        let path = fill(call.route, &call.segments).ok_or_else(|| ProviderError::Invalid {
            code: "name".to_owned(),
            message: "A name is none that could be sent to the provider. (name)".to_owned(),
            key: None,
        })?;
        let url = format!("{}{path}", self.origin);
        let mut request = match call.verb {
            Verb::Get => self.client.get(url),
            Verb::Post => self.client.post(url),
            Verb::Put => self.client.put(url),
            Verb::Patch => self.client.patch(url),
            Verb::Delete => self.client.delete(url),
        };
        if !call.query.is_empty() {
            request = request.query(&call.query);
        }
        for (name, value) in &call.headers {
            // One that no header can carry is no value that the provider gave out.
            let mut value =
                HeaderValue::from_str(value.expose()).map_err(|_| ProviderError::Protocol)?;
            value.set_sensitive(true);
            request = request.header(*name, value);
        }
        if let Some(session) = session {
            let header = (self.authorize)(&session.credential);
            let (name, mut value) = header.ok_or(ProviderError::Unauthorized)?;
            // Kept out of what is printed of a request, and out of the indexes of HTTP/2.
            value.set_sensitive(true);
            request = request.header(name, value);
            if let Some(id) = session.calls.request_id() {
                request = request.header("x-request-id", id);
            }
        }
        Ok(match body {
            Body::None => request,
            Body::Json(bytes) => request
                .header(reqwest::header::CONTENT_TYPE, "application/json")
                .body(bytes),
            Body::Form(fields) => {
                let pairs: Vec<(&str, &str)> = fields
                    .iter()
                    .map(|(name, value)| (*name, value.expose()))
                    .collect();
                request.form(&pairs)
            }
        })
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that sends, behind the leave, the limits and the measures"
    )]
    async fn exchange(
        &self,
        request: reqwest::RequestBuilder,
        writes: bool,
        span: &tracing::Span,
        seen: &AtomicU16,
    ) -> Result<Answer, ProviderError> {
        let mut response = request
            .send()
            .await
            .map_err(|error| transport(&error, writes))?;
        let status = response.status().as_u16();
        span.record("status", status);
        seen.store(status, Ordering::Relaxed);
        // Never followed: it would carry the token, and a write, to where nobody meant it to go.
        if (300..400).contains(&status) {
            return Err(ProviderError::Protocol);
        }
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(ToOwned::to_owned)
        };
        let mut answer = Answer {
            status,
            body: Zeroizing::new(Vec::new()),
            writes,
            link: header("link"),
            retry_after: header("retry-after"),
            limit: header("x-ratelimit-limit"),
            remaining: header("x-ratelimit-remaining"),
            reset: header("x-ratelimit-reset"),
            date: header("date"),
            received: self.ambient.now(),
        };
        match read(&mut response, writes).await {
            Ok(body) => answer.body = body,
            // The status of a refusal says enough.
            Err(_) if !answer.is_success() => {}
            Err(error) => return Err(error),
        }
        Ok(answer)
    }
}

async fn read(
    response: &mut reqwest::Response,
    writes: bool,
) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
    let broken = |timeout: bool| match (writes, timeout) {
        (true, _) => ProviderError::OutcomeUnknown,
        (false, true) => ProviderError::Timeout,
        (false, false) => ProviderError::Protocol,
    };
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| broken(error.is_timeout()))?
    {
        let length = body.len() + chunk.len();
        if length > MAX_ANSWER_BYTES {
            return Err(broken(false));
        }
        if length > body.capacity() {
            // Grown by hand, because a vector that grows by itself leaves its old copy unwiped.
            let mut larger = Zeroizing::new(Vec::with_capacity(length.next_power_of_two()));
            larger.extend_from_slice(&body);
            body = larger;
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What a transport error means. Before the connection stands, nothing was sent; after that, a
/// write may have arrived.
fn transport(error: &reqwest::Error, writes: bool) -> ProviderError {
    if error.is_connect() || error.is_builder() {
        ProviderError::Unavailable
    } else if writes {
        ProviderError::OutcomeUnknown
    } else if error.is_timeout() {
        ProviderError::Timeout
    } else {
        ProviderError::Unavailable
    }
}

/// Whether it stays one segment of a path once it is encoded.
fn is_segment(text: &str) -> bool {
    let is_short = (1..=MAX_SEGMENT).contains(&text.len());
    is_short && text != "." && text != ".." && !text.chars().any(char::is_control)
}

/// Fills the `{…}` of a route, each with one percent-encoded segment. `None` when a segment could
/// not be one, or when their number differs.
fn fill(route: &str, segments: &[&str]) -> Option<String> {
    let mut path = String::with_capacity(route.len() + 64);
    let mut rest = route;
    let mut segments = segments.iter();
    while let Some((before, after)) = rest.split_once('{') {
        let (_, after) = after.split_once('}')?;
        let segment = segments.next().filter(|segment| is_segment(segment))?;
        path.push_str(before);
        path.extend(utf8_percent_encode(segment, SEGMENT));
        rest = after;
    }
    path.push_str(rest);
    segments.next().is_none().then_some(path)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that makes clients of providers"
)]
fn build(plain: bool, timeout: Duration) -> reqwest::Result<reqwest::Client> {
    // The program installs it first thing; a test may not have. A second one is refused and meant.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        // Less than the whole, so that a host that does not answer is seen as "nothing was sent".
        .connect_timeout(timeout / 2)
        .timeout(timeout)
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(30))
        .pool_idle_timeout(Duration::from_mins(1))
        .pool_max_idle_per_host(32);
    if plain {
        // Simulators and tests: no certificates to load, and no proxy that would see it in clear.
        builder
            .no_proxy()
            .tls_certs_only(std::iter::empty::<reqwest::Certificate>())
            .build()
    } else {
        // The system's certificates, through the platform verifier.
        builder.https_only(true).build()
    }
}

/// Reports a call's end, also of a call that is dropped half-way.
struct Record<'a> {
    client: &'a HttpClient,
    session: Option<&'a Session>,
    family: CallFamily,
    started: Duration,
    status: AtomicU16,
    open: bool,
}

impl Record<'_> {
    async fn finish(mut self, end: CallEnd<'_>) {
        self.open = false;
        self.measure(end.error);
        if let Some(session) = self.session {
            session.calls.end(self.family, end).await;
        }
    }

    fn measure(&self, error: Option<&ProviderError>) {
        let (provider, family) = (self.client.provider.as_str(), self.family.as_str());
        let outcome = error.map_or("ok", ProviderError::outcome);
        let took = self.client.ambient.elapsed().saturating_sub(self.started);
        metrics::counter!("provider_calls_total",
            "provider" => provider, "family" => family, "outcome" => outcome,
            "status" => status_word(self.status.load(Ordering::Relaxed)))
        .increment(1);
        metrics::histogram!("provider_call_duration_seconds",
            "provider" => provider, "family" => family)
        .record(took.as_secs_f64());
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        if self.open {
            let error = if self.family.writes() {
                ProviderError::OutcomeUnknown
            } else {
                ProviderError::Timeout
            };
            self.measure(Some(&error));
            if let Some(session) = self.session {
                session.calls.given_up(self.family);
            }
        }
    }
}

/// A status as a label: one of few, whatever a provider answers.
fn status_word(status: u16) -> Cow<'static, str> {
    match status {
        NO_ANSWER => "none".into(),
        100..600 => status.to_string().into(),
        _ => "other".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(origin: &str) -> Result<HttpClient, SetupError> {
        HttpClient::new(
            ProviderName::Vercel,
            "VERCEL_API_URL",
            origin,
            Duration::from_secs(1),
            Ambient::system(),
        )
    }

    #[test]
    fn an_origin_is_canonical_and_has_no_path() {
        let made = client("HTTP://LocalHost:80/").unwrap();
        assert_eq!(made.origin(), "http://localhost");
        for bad in [
            "",
            "localhost",
            "ftp://x",
            "https://x/v1",
            "https://x/?a",
            "https://u:p@x",
        ] {
            assert_eq!(
                client(bad).err(),
                Some(SetupError::Origin("VERCEL_API_URL"))
            );
        }
    }

    #[test]
    fn a_segment_stays_one_segment() {
        assert_eq!(
            fill("/v1/projects/{project}/env/{id}", &["a/b?c#d%", "é"]).as_deref(),
            Some("/v1/projects/a%2Fb%3Fc%23d%25/env/%C3%A9")
        );
        assert_eq!(fill("/v1/{project}", &[".."]), None);
        assert_eq!(
            fill("/v1/{project}", &["a b"]).as_deref(),
            Some("/v1/a%20b")
        );
        assert_eq!(fill("/v1/{project}", &["a\nb"]), None);
        assert_eq!(fill("/v1/{project}", &[]), None);
        assert_eq!(fill("/v1", &["x"]), None);
    }
}
