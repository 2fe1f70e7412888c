//! The client of Fly.io against its stand-in: what it asks, how often, and what it makes of every kind
//! of answer.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests may end them as tests may"
)]

mod account;
mod faults;
mod limits;
mod reading;
mod refusals;
mod rollout;
mod support;
mod writing;
