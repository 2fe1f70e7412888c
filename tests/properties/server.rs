//! HTTP in front of the model. A handler can cut an answer short or close its connection, which is
//! why this is not `axum::serve`.

use std::io;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Request as HttpRequest, Response, header};
use futures::StreamExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use crate::provider::{Provider, Reply, Request};

/// Starts listening; gives the origin.
pub(crate) async fn listen(provider: &Provider, tracker: &TaskTracker) -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("http://{}", listener.local_addr()?);
    let (provider, connections) = (provider.clone(), tracker.clone());
    tracker.spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let _ = tcp.set_nodelay(true);
            let provider = provider.clone();
            let service = tower::service_fn(move |request| serve(provider.clone(), request));
            connections.spawn(async move {
                let service = TowerToHyperService::new(service);
                // Ends with an error when a handler closes the connection, which is meant.
                let _ = Builder::new(TokioExecutor::new())
                    .http1_only()
                    .serve_connection(TokioIo::new(tcp), service)
                    .await;
            });
        }
    });
    Ok(origin)
}

async fn serve<B>(provider: Provider, request: HttpRequest<B>) -> io::Result<Response<Body>>
where
    B: axum::body::HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    let (head, body) = request.into_parts();
    let body = to_bytes(Body::new(body), usize::MAX)
        .await
        .map_err(io::Error::other)?;
    let token = head
        .headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let request = Request {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        token: token
            .and_then(|text| text.strip_prefix("Bearer "))
            .unwrap_or_default()
            .to_owned(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let (status, retry_after, text, cut) = match provider.handle(request).await {
        Reply::Answer(status, retry_after, json) => (status, retry_after, json.to_string(), false),
        Reply::Truncated(status, json) => (status, None, json.to_string(), true),
        Reply::Reset => return Err(io::ErrorKind::ConnectionReset.into()),
        Reply::Never => std::future::pending().await,
    };
    let mut response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONTENT_LENGTH, text.len());
    if let Some(seconds) = retry_after {
        response = response.header(header::RETRY_AFTER, seconds);
    }
    let body = if cut {
        let half = Bytes::copy_from_slice(&text.as_bytes()[..text.len() / 2]);
        let broken = futures::stream::iter([Ok(half), Err(io::ErrorKind::ConnectionReset)]);
        Body::from_stream(broken.map(|part| part.map_err(io::Error::from)))
    } else {
        Body::from(text)
    };
    response.body(body).map_err(io::Error::other)
}
