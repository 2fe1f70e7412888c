//! The body of an answer, handed out in parts, so that it shows whether the client takes them.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::watch::Ticket;

/// Most bytes of a part.
const PART: usize = 64 << 10;

/// A body, and the ticket of the request that it answers.
#[derive(Debug)]
pub(super) struct Answer {
    body: Body,
    rest: Bytes,
    ticket: Ticket,
}

impl Answer {
    pub(super) fn new(body: Body, ticket: Ticket) -> Self {
        ticket.theirs();
        Self {
            body,
            rest: Bytes::new(),
            ticket,
        }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            // Whoever asks for the next part has room for it.
            self.ticket.ours();
            let next = ready!(Pin::new(&mut self.body).poll_frame(cx));
            self.ticket.theirs();
            match next.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => self.rest = data,
                Some(Ok(Err(frame))) => return Poll::Ready(Some(Ok(frame))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        } else {
            self.ticket.theirs();
        }
        let length = self.rest.len().min(PART);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, body) = (self.rest.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(rest + body.lower());
        if let Some(upper) = body.upper() {
            hint.set_upper(rest + upper);
        }
        hint
    }
}
