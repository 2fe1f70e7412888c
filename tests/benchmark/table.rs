//! The table that a benchmark prints.

use std::io::Write;
use std::time::Duration;

pub(crate) struct Row {
    name: String,
    calls: usize,
    pub(crate) floor: Duration,
    pub(crate) ours: Duration,
    pub(crate) note: String,
}

impl Row {
    pub(crate) fn new(
        name: impl Into<String>,
        calls: usize,
        floor: Duration,
        ours: Duration,
    ) -> Self {
        Self {
            name: name.into(),
            calls,
            floor,
            ours,
            note: String::new(),
        }
    }
}

pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

pub(crate) fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

pub(crate) fn print(form: &str, rows: &[Row]) {
    line(&format!("\n{form}"));
    line(&format!(
        "{:<38} {:>6} {:>11} {:>11} {:>6}",
        "case", "calls", "floor", "ours", "ratio"
    ));
    for row in rows {
        line(&format!(
            "{:<38} {:>6} {:>11} {:>11} {:>6.2}  {}",
            row.name,
            row.calls,
            milliseconds(row.floor),
            milliseconds(row.ours),
            row.ours.as_secs_f64() / row.floor.as_secs_f64().max(f64::EPSILON),
            row.note
        ));
    }
}

pub(crate) fn note(text: &str) {
    line(text);
}

fn line(text: &str) {
    // A closed pipe ends the output, not the measurement.
    let _ = writeln!(std::io::stdout(), "{text}");
}
