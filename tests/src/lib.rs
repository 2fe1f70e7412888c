//! Support for the contract, engine and end-to-end tests.
#![expect(
    clippy::expect_used,
    reason = "a test that cannot be set up has failed"
)]

pub mod app;
pub mod client;
pub mod cut;
pub mod database;
pub mod description;
pub mod graphql;
pub mod leaks;
pub mod posing;
pub mod renewing;
pub mod stand_in;
