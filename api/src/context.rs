//! What answers need to know of the request they belong to. Set by the middleware around every
//! handler, so that an answer bears the request's id without each handler passing it on.

use std::sync::Arc;

use crate::idempotency::Current;

tokio::task_local! {
    static CURRENT: Context;
}

/// The request that is being answered.
#[derive(Debug, Clone)]
pub struct Context {
    /// Its id: taken from `X-Request-Id`, or made.
    pub request_id: Arc<str>,
    /// Its path, without the query.
    pub path: Arc<str>,
    /// The client does not recognise `application/problem+json`.
    pub plain_json: bool,
    /// What is known of its `Idempotency-Key`, if it bears one.
    pub(crate) keyed: Option<Current>,
}

impl Context {
    /// The context of the running request; an empty one outside of any.
    pub fn current() -> Self {
        CURRENT.try_with(Self::clone).unwrap_or_else(|_| Self {
            request_id: Arc::from(""),
            path: Arc::from(""),
            plain_json: false,
            keyed: None,
        })
    }

    /// Runs a request's handler within this context.
    pub(crate) async fn scope<F: Future>(self, handler: F) -> F::Output {
        CURRENT.scope(self, handler).await
    }
}

/// The id of the running request.
pub fn request_id() -> Arc<str> {
    Context::current().request_id
}
