//! Our client of Railway, played against the stand-in. Each operation that it sends is held against the
//! vendor's schema (`tests/src/railway_stand_in.rs`).

#![cfg(test)]

mod destinations;
mod faults;
mod limits;
mod oauth;
mod projects;
mod reading;
mod requests;
mod support;
mod tokens;
mod writing;
