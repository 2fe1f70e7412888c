//! The API over HTTP, each behaviour on both profiles.

#![cfg(test)]

mod accounts;
mod bulk;
mod clients;
mod environments;
mod github;
mod http;
mod integrations;
mod limits;
mod members;
mod metrics;
mod openapi;
mod operations;
mod rules;
mod secrets;
mod sessions;
mod sign_in;
mod tenancy;
mod trash;
mod vaults;
mod webhooks;
mod wire;
