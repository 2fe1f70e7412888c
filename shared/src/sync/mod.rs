//! The meaning of a sync: what is asked for, what is found, what is to be done. Pure.

pub mod options;
pub mod plan;
pub mod planner;
pub mod remote;
