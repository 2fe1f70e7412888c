//! Processor time, as the kernel accounts for it: what a push costs, whatever else the hour does to how
//! long it takes.

use std::path::Path;
use std::time::Duration;

/// Time on a processor, by whom.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Used {
    /// The program's own processes.
    program: Duration,
    /// Every Postgres on this machine; none where it runs elsewhere.
    postgres: Duration,
    /// This process: the stand-in and the callers.
    bench: Duration,
}

impl Used {
    /// So far.
    pub(crate) fn by(processes: &[u32]) -> anyhow::Result<Self> {
        let mut used = Self::default();
        for entry in std::fs::read_dir("/proc")?.flatten() {
            let Some(id) = entry.file_name().to_str().and_then(|id| id.parse().ok()) else {
                continue;
            };
            if processes.contains(&id) {
                used.program += on_processor(&entry.path());
            } else if id == std::process::id() {
                used.bench += on_processor(&entry.path());
            } else if is_postgres(&entry.path()) {
                used.postgres += on_processor(&entry.path());
            }
        }
        Ok(used)
    }

    pub(crate) fn add_since(&mut self, earlier: Self, now: Self) {
        self.program += now.program.saturating_sub(earlier.program);
        self.postgres += now.postgres.saturating_sub(earlier.postgres);
        self.bench += now.bench.saturating_sub(earlier.bench);
    }

    /// Of each of `count`, as text.
    pub(crate) fn each(self, count: u32) -> String {
        let each = |used: Duration| (used / count).as_secs_f64() * 1000.0;
        format!(
            "processors, each: {:.1} ms ours, {:.1} ms Postgres, {:.1} ms stand-in and callers",
            each(self.program),
            each(self.postgres),
            each(self.bench),
        )
    }
}

fn is_postgres(process: &Path) -> bool {
    std::fs::read_to_string(process.join("comm")).is_ok_and(|name| name.trim() == "postgres")
}

/// Of all threads there are; the first word of each `schedstat` is nanoseconds.
fn on_processor(process: &Path) -> Duration {
    let Ok(threads) = std::fs::read_dir(process.join("task")) else {
        return Duration::ZERO;
    };
    let times = threads.flatten().filter_map(|thread| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(times.sum())
}
