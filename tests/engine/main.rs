//! The engine against the stand-in of Vercel, on both profiles, without the HTTP API.

#![cfg(test)]

mod authority;
mod calls;
mod gates;
mod leases;
mod link_runs;
mod links;
mod ownership;
mod plans;
mod references;
mod renewals;
mod rollouts;
mod rotation;
mod sync;
mod world;
