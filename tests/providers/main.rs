//! The clients of the providers against their stand-ins: what they ask, how often, and what they
//! make of every kind of answer.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests may end them as tests may"
)]

mod account;
mod convergence;
mod faults;
mod guard;
mod reading;
mod splits;
mod support;
mod writing;
