//! What this process logs, panics included.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use keyway_shared::telemetry::{LogFormat, logs};
use tracing_subscriber::fmt::MakeWriter;

/// Ours in full, of all others what an operator would ask for to find a fault.
const FILTER: &str = "debug,keyway_api=trace,keyway_shared=trace,keyway_worker=trace";

static LOG: OnceLock<Sink> = OnceLock::new();

/// Text that several threads add to.
#[derive(Debug, Clone, Default)]
pub struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    /// What is there so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Everything that this process logs from here on. The stand-ins and the test's own client are part
/// of it. The first call decides what and how.
///
/// # Panics
/// When the filter is none.
pub fn log(filter: &str, format: LogFormat) -> Sink {
    let sink = LOG.get_or_init(|| {
        let sink = Sink::default();
        let subscriber = logs(filter, format, sink.clone(), false).expect("a filter");
        // A test that has one of its own keeps it.
        let _ = tracing::subscriber::set_global_default(subscriber);
        let panics = sink.clone();
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            panics
                .bytes()
                .extend_from_slice(format!("{panic}\n").as_bytes());
            before(panic);
        }));
        sink
    });
    sink.clone()
}

/// Begins to log, unless that was begun already.
pub(crate) fn begin() {
    log(FILTER, LogFormat::Text);
}

/// What is there so far, and then no more.
pub(super) fn taken() -> String {
    LOG.get().map_or_else(String::new, |sink| {
        let bytes = std::mem::take(&mut *sink.bytes());
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
