//! The behaviours.

mod access;
mod crashes;
mod failures;
mod pulls;
mod pushes;
mod random;
