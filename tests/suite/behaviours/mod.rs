//! The behaviours.

mod access;
mod costs;
mod crashes;
mod failures;
mod pulls;
mod pushes;
mod random;
