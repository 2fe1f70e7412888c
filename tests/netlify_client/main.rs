//! Our client of Netlify against its stand-in: what is Netlify's own, and each fact that is not certain.
//! What every provider must do is in `tests/suite`.

#![cfg(test)]

mod connecting;
mod faults;
mod oauth;
mod secrets;
mod shared;
mod sites;
mod support;
mod writing;
