//! The program under fire: real processes, real servers, real faults. See README.md.

#![cfg(test)]

mod actor;
mod caller;
mod check;
mod database;
mod deployment;
mod dice;
mod faults;
mod late;
mod ledger;
mod load;
mod model;
mod program;
mod proxy;
mod run;
mod servers;
mod simulator;
mod table;
