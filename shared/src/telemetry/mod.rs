//! Logs and metrics of a process.

pub mod metrics;

use std::str::FromStr;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

use crate::domain::words;

words! {
    /// How log lines look.
    pub enum LogFormat {
        /// For people.
        Text = "text",
        /// For machines.
        Json = "json",
    }
}

/// Seconds; from a fast query to the longest a caller waits.
const BUCKETS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0,
];
/// Seconds; from a job that had nothing to do to one that waited for a provider most of its day.
const JOB_BUCKETS: &[f64] = &[
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0, 3600.0, 14400.0,
];

/// Sends logs to standard error, which leaves standard output to what a command prints.
///
/// # Errors
/// When the filter cannot be parsed.
pub fn init_logs(
    filter: &str,
    format: LogFormat,
) -> Result<(), tracing_subscriber::filter::ParseError> {
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let subscriber = logs(filter, format, std::io::stderr, colours)?;
    // A second subscriber in the same process (tests) keeps the first.
    tracing::subscriber::set_global_default(subscriber).unwrap_or_default();
    Ok(())
}

/// What [`init_logs`] installs, writing to any place.
///
/// # Errors
/// When the filter cannot be parsed.
pub fn logs<W>(
    filter: &str,
    format: LogFormat,
    writer: W,
    colours: bool,
) -> Result<Box<dyn Subscriber + Send + Sync>, tracing_subscriber::filter::ParseError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::from_str(filter)?;
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    Ok(match format {
        LogFormat::Text => Box::new(registry.with(layer.with_ansi(colours))),
        LogFormat::Json => Box::new(registry.with(layer.json().flatten_event(true))),
    })
}

/// Installs the recorder of this process; the handle renders what `/metrics` shows. A recorder that
/// is there already (tests) is kept, and the new handle then shows nothing.
pub fn init_metrics() -> PrometheusHandle {
    let jobs = Matcher::Full("keyway_job_duration_seconds".to_owned());
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), BUCKETS)
        .and_then(|builder| builder.set_buckets_for_metric(jobs, JOB_BUCKETS))
        .unwrap_or_else(|_| PrometheusBuilder::new());
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    if ::metrics::set_global_recorder(recorder).is_ok() {
        metrics::describe();
        metrics::begin_at_zero();
    }
    handle
}
