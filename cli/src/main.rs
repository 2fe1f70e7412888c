//! The program `keyway`: composes the API, the worker, the simulators and the administrator's tools
//! from their crates. A file for each command; what they share is in [`compose`] and [`args`].

mod args;
mod cli;
mod commands;
mod compose;
mod failure;
mod heartbeat;
mod key_use;
mod output;
mod process;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
