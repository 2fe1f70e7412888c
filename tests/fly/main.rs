//! The stand-in of Fly.io's Machines API over HTTP, behaviour by behaviour. Each answer is held against
//! the vendor's description where it has the call, and so is each request that succeeded.

#![cfg(test)]

mod access;
mod apps;
mod description;
mod faults;
mod leases;
mod limits;
mod machines;
mod preset;
mod rules;
mod secrets;
mod support;
mod switches;
