//! Who keeps whom waiting on a connection, and since when.
//!
//! A client owes the rest of a header once it began one, and has to take what it is answered. We owe
//! an answer, however long that takes: its limit is elsewhere.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use keyway_shared::config::ConnectionLimits;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// What a connection is ended for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    /// A header that does not end.
    Header,
    /// An answer that is not taken.
    Unread,
    /// Nothing is asked for.
    Idle,
}

impl Overdue {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Unread => "unread",
            Self::Idle => "idle",
        }
    }
}

/// What is known of one connection.
#[derive(Debug)]
pub(super) struct Watch {
    limits: ConnectionLimits,
    known: Mutex<Known>,
    /// A time limit began.
    changed: Notify,
}

#[derive(Debug)]
struct Known {
    /// Requests that are being answered: since when a part of the answer lies there, if one does.
    answers: BTreeMap<u64, Option<Instant>>,
    last: u64,
    /// When the last of them ended.
    idle: Instant,
    /// When the header of the next began.
    header: Option<Instant>,
    /// HTTP/2, in which other things than headers come between requests.
    frames: bool,
}

/// One request that is being answered.
#[derive(Debug)]
pub(super) struct Ticket {
    watch: Arc<Watch>,
    id: u64,
}

impl Watch {
    pub(super) fn new(limits: ConnectionLimits) -> Self {
        let now = Instant::now();
        Self {
            limits,
            known: Mutex::new(Known {
                answers: BTreeMap::new(),
                last: 0,
                idle: now,
                header: Some(now),
                frames: false,
            }),
            changed: Notify::new(),
        }
    }

    /// A request has come.
    pub(super) fn begin(self: &Arc<Self>, frames: bool) -> Ticket {
        let mut known = self.lock();
        known.last += 1;
        let id = known.last;
        known.answers.insert(id, None);
        known.header = None;
        known.frames = frames;
        Ticket {
            watch: Arc::clone(self),
            id,
        }
    }

    /// Something has come.
    fn heard(&self) {
        let mut known = self.lock();
        if known.answers.is_empty() && known.header.is_none() && !known.frames {
            known.header = Some(Instant::now());
            self.changed.notify_one();
        }
    }

    /// Lets the time without a request begin anew.
    pub(super) fn again(&self) {
        self.lock().idle = Instant::now();
    }

    /// Waits until the client has taken too long for something.
    pub(super) async fn overdue(&self) -> Overdue {
        loop {
            match self.next() {
                Some((at, what)) if at <= Instant::now() => return what,
                Some((at, _)) => {
                    let _ = timeout_at(at, self.changed.notified()).await;
                }
                None => self.changed.notified().await,
            }
        }
    }

    fn next(&self) -> Option<(Instant, Overdue)> {
        let known = self.lock();
        if !known.answers.is_empty() {
            let since = known.answers.values().flatten().min()?;
            return Some((*since + self.limits.unread_timeout, Overdue::Unread));
        }
        Some(match known.header {
            Some(since) => (since + self.limits.header_timeout, Overdue::Header),
            None => (known.idle + self.limits.idle_timeout, Overdue::Idle),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// The client has something to take.
    pub(super) fn theirs(&self) {
        self.set(Some(Instant::now()));
        self.watch.changed.notify_one();
    }

    /// The client has taken everything that there is.
    pub(super) fn ours(&self) {
        self.set(None);
    }

    fn set(&self, since: Option<Instant>) {
        self.watch.lock().answers.insert(self.id, since);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut known = self.watch.lock();
        known.answers.remove(&self.id);
        known.idle = Instant::now();
        self.watch.changed.notify_one();
    }
}

/// A stream whose reads are noticed.
#[derive(Debug)]
pub(super) struct Heard<S> {
    stream: S,
    watch: Arc<Watch>,
}

impl<S> Heard<S> {
    pub(super) const fn new(stream: S, watch: Arc<Watch>) -> Self {
        Self { stream, watch }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Heard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.watch.heard();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LIMITS: ConnectionLimits = ConnectionLimits {
        most: 1,
        header_timeout: Duration::from_secs(15),
        body_timeout: Duration::from_secs(30),
        unread_timeout: Duration::from_secs(30),
        idle_timeout: Duration::from_secs(75),
    };

    /// Does something, and tells what becomes overdue next and how many seconds after it.
    fn after(watch: &Watch, act: impl FnOnce()) -> Option<(Overdue, u64)> {
        let before = Instant::now();
        act();
        let after = Instant::now();
        let (at, what) = watch.next()?;
        let seconds = (at - after).as_secs_f64().ceil();
        assert!(
            at >= before + Duration::from_secs_f64(seconds),
            "it began before"
        );
        Some((what, seconds as u64))
    }

    #[test]
    fn each_side_has_its_time() {
        let watch = Arc::new(Watch::new(LIMITS));
        assert_eq!(
            after(&watch, || watch.lock().header = Some(Instant::now())),
            Some((Overdue::Header, 15))
        );
        let from_the_first_byte = watch.next();
        watch.heard();
        assert_eq!(watch.next(), from_the_first_byte);

        let mut first = None;
        let owed = after(&watch, || first = Some(watch.begin(false)));
        assert_eq!(owed, None, "what we owe has no limit here");
        let first = first.unwrap();
        assert_eq!(
            after(&watch, || first.theirs()),
            Some((Overdue::Unread, 30))
        );
        assert_eq!(
            after(&watch, || first.theirs()),
            Some((Overdue::Unread, 30))
        );
        assert_eq!(
            after(&watch, || first.ours()),
            None,
            "a stream without events"
        );
        assert_eq!(after(&watch, || drop(first)), Some((Overdue::Idle, 75)));
        assert_eq!(after(&watch, || watch.again()), Some((Overdue::Idle, 75)));
        assert_eq!(after(&watch, || watch.heard()), Some((Overdue::Header, 15)));
    }

    #[test]
    fn one_answer_that_is_not_taken_is_enough() {
        let watch = Arc::new(Watch::new(LIMITS));
        let (slow, quick) = (watch.begin(true), watch.begin(true));
        assert_eq!(after(&watch, || slow.theirs()), Some((Overdue::Unread, 30)));
        let of_the_slow_one = watch.next();
        quick.theirs();
        assert_eq!(watch.next(), of_the_slow_one);
        drop(slow);
        assert_eq!(
            after(&watch, || quick.theirs()),
            Some((Overdue::Unread, 30))
        );
        assert_eq!(after(&watch, || drop(quick)), Some((Overdue::Idle, 75)));
        // Frames between the requests of HTTP/2 begin no header.
        let idle = watch.next();
        watch.heard();
        assert_eq!(watch.next(), idle);
    }
}
