//! Properties of a sync, over random states, requests, faults and crashes. See README.md.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

/// Ends a check with what it found.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+));
        }
    };
}

mod case;
mod check;
mod generate;
mod model;
mod oracle;
mod past;
mod provider;
mod regressions;
mod report;
mod run;
mod server;
mod world;
