//! `keyway config-reference`

use clap::{Args, CommandFactory};
use keyway_shared::config;

use crate::cli::Cli;
use crate::failure::Outcome;
use crate::output;

/// Print the configuration reference as Markdown
#[derive(Debug, Args)]
pub(crate) struct ConfigReferenceArgs {}

pub(crate) fn run() -> Outcome {
    output::line(reference().trim_end())?;
    Ok(())
}

/// The settings of `keyway doctor`, which are those of all commands.
fn reference() -> String {
    let command = Cli::command();
    command
        .find_subcommand("doctor")
        .map(config::reference)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const BEGIN: &str = "<!-- config-reference: begin (written by `KEYWAY_UPDATE=1 cargo test -p keyway-cli reference`) -->\n";
    const END: &str = "<!-- config-reference: end -->\n";

    #[test]
    fn the_reference_in_the_docs_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md");
        let document = std::fs::read_to_string(path).unwrap();
        let (before, rest) = document.split_once(BEGIN).expect("the begin marker");
        let (_, after) = rest.split_once(END).expect("the end marker");
        let fresh = format!("{before}{BEGIN}\n{}\n{END}{after}", reference());
        if config::environment("KEYWAY_UPDATE").is_some() {
            std::fs::write(path, fresh).unwrap();
        } else {
            assert!(
                document == fresh,
                "docs/operations.md is not what the program says: run \
                 `KEYWAY_UPDATE=1 cargo test -p keyway-cli reference`"
            );
        }
    }

    #[test]
    fn no_command_has_a_setting_that_the_reference_lacks() {
        fn collect(command: &clap::Command, found: &mut BTreeSet<String>) {
            let names = command.get_arguments().filter_map(|arg| arg.get_env());
            found.extend(names.map(|name| name.to_string_lossy().into_owned()));
            for inner in command.get_subcommands() {
                collect(inner, found);
            }
        }
        let mut all = BTreeSet::new();
        collect(&Cli::command(), &mut all);
        let text = reference();
        for name in all {
            assert!(text.contains(&format!("| `{name}` |")), "{name}");
        }
    }
}
