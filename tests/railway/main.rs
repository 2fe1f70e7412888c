//! The stand-in of Railway over HTTP, behaviour by behaviour. Every operation and every answer is held
//! against the vendor's schema (tests/description).

#![cfg(test)]

mod access;
mod description;
mod faults;
mod limits;
mod oauth;
mod reading;
mod sealed;
mod support;
mod writing;
