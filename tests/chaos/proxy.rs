//! A network of our own between the processes: it cuts, resets, delays and holds back.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::dice::pause;

/// How long a provider works on after its caller has gone.
const WORKS_ON: Duration = Duration::from_secs(10);

/// Where a connection breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// In the middle of what is sent.
    InRequest,
    /// When the answer to it comes.
    BeforeReply,
}

#[derive(Debug, Clone, Copy)]
struct Weather {
    /// Every connection of an earlier one is reset.
    generation: u64,
    /// Whether anybody gets through.
    open: bool,
    delay: Duration,
}

pub(crate) struct Proxy {
    address: SocketAddr,
    control: Arc<Control>,
    _accepting: AbortOnDropHandle<()>,
}

struct Control {
    upstream: SocketAddr,
    weather: watch::Sender<Weather>,
    /// Cuts to come, each after so many more messages.
    cuts: Mutex<Vec<(usize, Cut)>>,
    /// Writes to hold back, and whether those held may go on.
    holds: AtomicUsize,
    held: AtomicUsize,
    released: watch::Sender<bool>,
    /// Whoever is called works on when its caller goes away.
    works_on: bool,
    /// Connections.
    tracker: TaskTracker,
}

/// How one direction of a connection ended.
enum End {
    Closed,
    Reset,
}

impl Proxy {
    /// To a server that stops working for a caller who goes away.
    pub(crate) async fn to(upstream: SocketAddr) -> Self {
        Self::start(upstream, false).await
    }

    /// To one that does what it was asked to, whether or not the caller still listens.
    pub(crate) async fn to_a_provider(upstream: SocketAddr) -> Self {
        Self::start(upstream, true).await
    }

    async fn start(upstream: SocketAddr, works_on: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let weather = Weather {
            generation: 0,
            open: true,
            delay: Duration::ZERO,
        };
        let control = Arc::new(Control {
            upstream,
            weather: watch::Sender::new(weather),
            cuts: Mutex::default(),
            holds: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            released: watch::Sender::new(false),
            works_on,
            tracker: TaskTracker::new(),
        });
        let shared = Arc::clone(&control);
        let accepting = control.tracker.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let serving = serve(Arc::clone(&shared), client);
                shared.tracker.spawn(serving);
            }
        });
        Self {
            address,
            control,
            _accepting: AbortOnDropHandle::new(accepting),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Resets every connection; new ones get through.
    pub(crate) fn reset(&self) {
        self.control.weather.send_modify(|now| now.generation += 1);
    }

    /// Resets every connection, and new ones too, until [`Proxy::open`].
    pub(crate) fn close(&self) {
        self.control.weather.send_modify(|now| {
            now.generation += 1;
            now.open = false;
        });
    }

    pub(crate) fn open(&self) {
        self.control.weather.send_modify(|now| now.open = true);
    }

    /// Every message to the caller takes this much longer.
    pub(crate) fn delay(&self, delay: Duration) {
        self.control.weather.send_modify(|now| now.delay = delay);
    }

    /// Resets the connection over which the message goes that comes after so many others.
    pub(crate) fn cut(&self, after: usize, cut: Cut) {
        let mut cuts = self.control.cuts.lock().unwrap();
        cuts.push((after, cut));
    }

    pub(crate) fn forget_cuts(&self) {
        self.control.cuts.lock().unwrap().clear();
    }

    /// Holds the next write back: sent, and not arrived.
    pub(crate) fn hold_a_write(&self) {
        self.control.released.send_replace(false);
        self.control.holds.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn held(&self) -> usize {
        self.control.held.load(Ordering::SeqCst)
    }

    /// What was held back arrives now.
    pub(crate) fn release(&self) {
        self.control.released.send_replace(true);
    }
}

impl Control {
    /// The cut that is due with this message.
    fn next_cut(&self) -> Option<Cut> {
        let mut cuts = self.cuts.lock().unwrap_or_else(PoisonError::into_inner);
        let due = cuts.iter().position(|(after, _)| *after == 0);
        for (after, _) in cuts.iter_mut() {
            *after = after.saturating_sub(1);
        }
        due.map(|at| cuts.remove(at).1)
    }

    fn holds(&self, message: &[u8]) -> bool {
        let writes = ["POST ", "PATCH ", "DELETE "];
        let is_write = writes
            .iter()
            .any(|verb| message.starts_with(verb.as_bytes()));
        let take = |left: usize| left.checked_sub(1);
        is_write
            && self
                .holds
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
                .is_ok()
    }
}

async fn serve(control: Arc<Control>, mut client: TcpStream) {
    let mut weather = control.weather.subscribe();
    let began = *weather.borrow_and_update();
    let server = if began.open {
        TcpStream::connect(control.upstream).await.ok()
    } else {
        None
    };
    let Some(mut server) = server else {
        reset(&client);
        return;
    };
    for stream in [&client, &server] {
        stream.set_nodelay(true).unwrap_or_default();
    }
    let is_reset = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let cut_reply = AtomicBool::new(false);
        let up = up(&control, from_client, to_server, &cut_reply);
        let down = down(&control, from_server, to_client, &cut_reply);
        tokio::pin!(up, down);
        let mut caller_gone = false;
        loop {
            tokio::select! {
                end = &mut up, if !caller_gone => match end {
                    End::Reset => break true,
                    End::Closed if control.works_on => caller_gone = true,
                    End::Closed => break false,
                },
                end = &mut down => break matches!(end, End::Reset),
                changed = weather.wait_for(|now| now.generation != began.generation) => {
                    break changed.is_ok();
                }
                () = pause(WORKS_ON), if caller_gone => break false,
            }
        }
    };
    if is_reset {
        reset(&client);
        reset(&server);
    }
}

/// The end of this connection is a reset.
fn reset(stream: &TcpStream) {
    stream.set_zero_linger().unwrap_or_default();
}

async fn up(
    control: &Control,
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    cut_reply: &AtomicBool,
) -> End {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else {
            return End::Closed;
        };
        let mut message = &buffer[..length];
        if control.holds(message) {
            control.held.fetch_add(1, Ordering::SeqCst);
            let mut released = control.released.subscribe();
            let _ = released.wait_for(|released| *released).await;
            control.held.fetch_sub(1, Ordering::SeqCst);
        }
        let cut = control.next_cut();
        match cut {
            Some(Cut::InRequest) => message = &message[..length / 2],
            Some(Cut::BeforeReply) => cut_reply.store(true, Ordering::SeqCst),
            None => {}
        }
        if to.write_all(message).await.is_err() {
            return End::Closed;
        }
        if cut == Some(Cut::InRequest) {
            return End::Reset;
        }
    }
}

async fn down(
    control: &Control,
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    cut_reply: &AtomicBool,
) -> End {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else {
            return End::Closed;
        };
        if cut_reply.load(Ordering::SeqCst) {
            return End::Reset;
        }
        let delay = control.weather.borrow().delay;
        if !delay.is_zero() {
            pause(delay).await;
        }
        let told = to.write_all(&buffer[..length]).await;
        if told.is_err() && !control.works_on {
            return End::Closed;
        }
    }
}
