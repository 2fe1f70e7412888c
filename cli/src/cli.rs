//! The command line.

use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use keyway_shared::config;

use crate::commands::{
    api, config_reference, demo, doctor, keys, migrate, pause, rotate_keys, serve, simulate, users,
    worker,
};
use crate::failure::{Failure, Outcome};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  keyway demo                    see the whole thing work, with a simulated Vercel
  keyway serve                   run it: everything in one process, nothing to install
  keyway keys create --user ci --scopes read:secrets,write:secrets
  keyway doctor                  check the configuration and everything it needs

Exit codes: 0 success, 1 failure, 2 wrong flags or settings.";

/// Keeps secrets in sync with hosting providers
///
/// Keyway holds an application's secrets in encrypted vaults and pushes them to, or pulls them from,
/// the environments of hosting providers, over a REST API.
#[derive(Debug, Parser)]
#[command(name = "keyway", version, after_help = EXAMPLES, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(Box<serve::ServeArgs>),
    Api(Box<api::ApiCommand>),
    Worker(Box<worker::WorkerCommand>),
    Migrate(migrate::MigrateArgs),
    Keys(keys::KeysArgs),
    RotateKeys(rotate_keys::RotateKeysArgs),
    Users(users::UsersArgs),
    Pause(pause::PauseArgs),
    Resume(pause::ResumeArgs),
    Simulate(simulate::SimulateArgs),
    Doctor(Box<doctor::DoctorArgs>),
    Demo(demo::DemoArgs),
    #[command(hide = true)]
    ConfigReference(config_reference::ConfigReferenceArgs),
}

/// Parses, runs and reports.
pub(crate) fn run() -> ExitCode {
    config::forbid_core_dumps();
    config::allow_many_files();
    let command = config::ignore_empty_variables(Cli::command());
    // Ends the process itself on --help (0) and on a mistake (2).
    let matches = command.get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match execute(cli.command, &matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::complain(&failure);
            failure.code()
        }
    }
}

fn execute(command: Command, matches: &ArgMatches) -> Outcome {
    // The only TLS in use; a second installation in one process would be refused, and there is none.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match command {
        Command::Serve(args) => block_on(serve::run(&args)),
        Command::Api(args) => block_on(api::run(&args)),
        Command::Worker(args) => block_on(worker::run(&args)),
        Command::Migrate(args) => block_on(migrate::run(&args)),
        Command::Keys(args) => block_on(keys::run(&args)),
        Command::RotateKeys(args) => block_on(rotate_keys::run(&args)),
        Command::Users(args) => block_on(users::run(&args)),
        Command::Pause(args) => block_on(pause::pause(&args)),
        Command::Resume(args) => block_on(pause::resume(&args)),
        Command::Simulate(args) => block_on(simulate::run(&args)),
        Command::Doctor(args) => {
            let matches = matches.subcommand_matches("doctor").unwrap_or(matches);
            block_on(doctor::run(&args, matches))
        }
        Command::Demo(args) => block_on(demo::run(&args)),
        Command::ConfigReference(_) => config_reference::run(),
    }
}

/// Runs on as many threads as the process may use processors.
fn block_on(command: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("the runtime cannot start: {error}")))?;
    let outcome = runtime.block_on(command);
    // What is left are threads that wait for the outside; nothing depends on them.
    runtime.shutdown_background();
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does() {
        for command in Cli::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
        }
    }
}
