//! The meaning of a sync: what is asked for, what is found, what is to be done. Pure.

pub mod filter;
pub mod limits;
pub mod options;
pub mod plan;
pub mod planner;
pub mod remote;
pub mod reserved;
pub mod saved;
pub mod warnings;
