//! Every metric that the program has, in one list: what it is, and by what it is told apart.
//!
//! Labels are words of ours with few values. Nothing that a user, a request or a provider chose is a
//! label, so the number of series does not grow with the installation.

use std::fmt::Write as _;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge};

use crate::domain::connection::ProviderName;
use crate::domain::gate::{Barrier, CallFamily};
use crate::domain::job::{JobClass, JobKind, JobState};

/// What a metric counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only ever grows, and starts over with the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Seconds, in buckets; Prometheus sees `…_bucket`, `…_sum` and `…_count`.
    Histogram,
}

impl Kind {
    /// The word that Prometheus has for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it counts.
    pub kind: Kind,
    /// By what it is told apart.
    pub labels: &'static [&'static str],
    /// What it means.
    pub help: &'static str,
}

/// A list of metrics, one a line.
macro_rules! metrics {
    ($($kind:ident $name:ident [$($label:ident),*] $help:literal;)+) => {
        &[$(Metric {
            name: stringify!($name),
            kind: Kind::$kind,
            labels: &[$(stringify!($label)),*],
            help: $help,
        }),+]
    };
}

/// All of them. `docs/operations.md` shows this list, and a test holds both against what a running
/// program exposes.
pub const ALL: &[Metric] = metrics! {
    Gauge keyway_jobs_due [class] "Jobs that are due and that no worker has";
    Gauge keyway_jobs_oldest_due_seconds [class] "For how long the oldest of them has been due";
    Gauge keyway_sweeper_late_seconds [] "How late the sweepers are with the job that they should have handed out first";
    Gauge keyway_workers_alive [] "Workers that have shown themselves in the last 30 s";
    Counter keyway_jobs_total [kind, outcome] "Jobs that ended";
    Histogram keyway_job_duration_seconds [kind, class] "From accepting a job to its end, waits included";
    Histogram keyway_job_run_seconds [kind] "One run of a job, from claim to settlement";
    Counter keyway_job_retries_total [kind, reason] "Runs that failed and are tried again; they count against the limit of attempts";
    Counter keyway_requests_limited_total [by] "Requests that were refused because their caller (`credential`) or address (`address`) made too many, or their caller had too many waits or streams open (`waits`, `streams`)";
    Counter keyway_request_limits_alone_total [] "Requests that one process counted by itself because Redis was away";
    Gauge keyway_connections [] "Connections to the API";
    Counter keyway_token_renewals_total [outcome] "Tokens of connections that were to be renewed: `renewed`, `put-off` (the provider could not be asked), `refused`, or `lost` (nobody knows whether the provider did). After the last two the connection has to be made again";
    Counter keyway_connections_cut_total [by] "Connections that were ended because a header did not end (`header`), an answer was not taken (`unread`), or one address had too many (`address`)";
    Counter keyway_job_waits_total [provider, reason] "Jobs put aside because a provider limits calls or does not answer; they do not count as attempts";
    Counter keyway_gate_waits_total [provider, reason] "Calls held back for a moment, while their job kept its worker";
    Counter keyway_gate_closures_total [provider, family] "Times a provider said that it takes no more calls of a family for now, which we had not known";
    Gauge keyway_gates_closed [provider] "Accounts and families of calls that a provider takes no calls of now";
    Counter keyway_circuit_opened_total [provider] "Times a provider, or an account there, was left alone after failures";
    Gauge keyway_circuit_open [provider] "Whether the provider is left alone by everybody: 1 or 0";
    Counter keyway_jobs_swept_total [class] "Jobs that a sweeper handed out because no bell had";
    Counter keyway_link_runs_total [] "Jobs started for links that sync by themselves";
    Gauge keyway_links_oldest_due_seconds [] "For how long the link has been due that is next to be looked at";
    Counter keyway_lease_takeovers_total [] "Jobs taken back from workers that let their lease run out";
    Counter keyway_lease_losses_total [] "Runs that found their lease gone, and what was remembered of the project dropped";
    Counter keyway_webhook_attempts_total [outcome] "Attempts to tell webhooks: delivered, answered (with a refusal), refused (by us) or no_answer";
    Gauge keyway_redis_up [] "Whether Redis answered last: 1 or 0; only with Redis";
    Counter provider_calls_total [provider, family, outcome, status] "Calls to providers; `status` is that of HTTP, or `none` without an answer";
    Histogram provider_call_duration_seconds [provider, family] "How long they took";
    Counter http_requests_total [route, method, status] "Requests to the API";
    Histogram http_request_duration_seconds [route] "How long they took, waiting for a job included";
};

/// The metric of a name, also by the names that a histogram's parts have.
pub fn find(name: &str) -> Option<&'static Metric> {
    ALL.iter().find(|metric| {
        let part = name.strip_prefix(metric.name);
        match metric.kind {
            Kind::Histogram => matches!(part, Some("_bucket" | "_sum" | "_count")),
            Kind::Counter | Kind::Gauge => part == Some(""),
        }
    })
}

/// The list as a Markdown table.
pub fn table() -> String {
    let mut text = "| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    for metric in ALL {
        let labels: Vec<_> = metric.labels.iter().map(|l| format!("`{l}`")).collect();
        let labels = if labels.is_empty() {
            "none".to_owned()
        } else {
            labels.join(", ")
        };
        let (name, kind, help) = (metric.name, metric.kind.as_str(), metric.help);
        let _ = writeln!(text, "| `{name}` | {kind} | {labels} | {help} |");
    }
    text
}

/// Tells the recorder what each means.
pub(super) fn describe() {
    for metric in ALL {
        match metric.kind {
            Kind::Counter => describe_counter!(metric.name, metric.help),
            Kind::Gauge => describe_gauge!(metric.name, metric.help),
            Kind::Histogram => describe_histogram!(metric.name, metric.help),
        }
    }
}

/// Begins counters at zero whose series are known beforehand: the first event is then a rise that
/// Prometheus sees, and not a series that appears from nowhere.
pub(super) fn begin_at_zero() {
    counter!("keyway_lease_takeovers_total").increment(0);
    counter!("keyway_lease_losses_total").increment(0);
    counter!("keyway_link_runs_total").increment(0);
    counter!("keyway_request_limits_alone_total").increment(0);
    for by in ["address", "credential", "waits", "streams"] {
        counter!("keyway_requests_limited_total", "by" => by).increment(0);
    }
    for by in ["header", "unread", "address"] {
        counter!("keyway_connections_cut_total", "by" => by).increment(0);
    }
    for outcome in ["renewed", "put-off", "refused", "lost"] {
        counter!("keyway_token_renewals_total", "outcome" => outcome).increment(0);
    }
    gauge!("keyway_connections").set(0.0);
    for outcome in ["delivered", "answered", "refused", "no_answer"] {
        counter!("keyway_webhook_attempts_total", "outcome" => outcome).increment(0);
    }
    for class in JobClass::ALL {
        counter!("keyway_jobs_swept_total", "class" => class.as_str()).increment(0);
    }
    for provider in ProviderName::ALL {
        let name = provider.as_str();
        counter!("keyway_circuit_opened_total", "provider" => name).increment(0);
        for reason in Barrier::ALL {
            counter!("keyway_gate_waits_total", "provider" => name, "reason" => reason.as_str())
                .increment(0);
        }
        for family in CallFamily::ALL {
            counter!("keyway_gate_closures_total", "provider" => name, "family" => family.as_str())
                .increment(0);
        }
    }
    for kind in JobKind::ALL {
        for state in JobState::ALL.iter().filter(|state| state.is_final()) {
            counter!("keyway_jobs_total", "kind" => kind.as_str(), "outcome" => state.as_str())
                .increment(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_they_count() {
        for metric in ALL {
            let ends_with = |end| metric.name.ends_with(end);
            let fits = match metric.kind {
                Kind::Counter => ends_with("_total"),
                Kind::Histogram => ends_with("_seconds"),
                Kind::Gauge => !ends_with("_total"),
            };
            assert!(
                fits,
                "{} is no name of a {}",
                metric.name,
                metric.kind.as_str()
            );
            let twice = ALL.iter().filter(|other| other.name == metric.name).count();
            assert_eq!(twice, 1, "{}", metric.name);
        }
    }

    #[test]
    fn a_histogram_is_known_by_its_parts() {
        let run = find("keyway_job_run_seconds_bucket").map(|metric| metric.name);
        assert_eq!(run, Some("keyway_job_run_seconds"));
        assert_eq!(find("keyway_job_run_seconds"), None);
        assert_eq!(find("keyway_jobs_due_count"), None);
    }
}
