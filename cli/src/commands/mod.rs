//! A file for each command.

pub(crate) mod api;
pub(crate) mod config_reference;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod keys;
pub(crate) mod migrate;
pub(crate) mod pause;
mod retries;
pub(crate) mod rotate_keys;
pub(crate) mod serve;
pub(crate) mod simulate;
pub(crate) mod users;
pub(crate) mod worker;
