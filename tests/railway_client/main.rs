//! Our client of Railway, played against the stand-in. Each operation that it sends is held against the
//! vendor's schema (`tests/src/stand_in/railway.rs`).

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
