//! The clients that there are already - a command line client, a dashboard and an MCP server - against
//! this server: each call that they make, in the order in which they make it, with the headers that they
//! send, and whatever they read of the answer. Written from a description of them.
//!
//! Which test covers which call is in [`rows`], and held against what the tests really do.

use keyway_tests::database::Profile;

/// Expands each replay to one test for each profile, and lists their names for the table.
macro_rules! replays {
    ($($name:ident),+ $(,)?) => {
        /// The replays of this file.
        pub(super) const TESTS: &[&str] = &[$(stringify!($name)),+];

        mod embedded {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let replay = super::super::callers::Replay::of(stringify!($name));
                super::$name(super::super::Profile::Embedded, &replay).await;
                replay.check();
            })+
        }
        mod production {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let replay = super::super::callers::Replay::of(stringify!($name));
                super::$name(super::super::Profile::Production, &replay).await;
                replay.check();
            })+
        }
    };
}

mod account;
mod bulk;
mod callers;
mod connections;
mod dashboard;
mod login;
mod refusals;
mod rows;
mod sync;
mod table;
