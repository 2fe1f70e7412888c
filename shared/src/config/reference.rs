//! The configuration reference, made from the same definitions that the program reads.

use std::fmt::Write as _;

use clap::{Arg, Command};

use super::secret::{SECRETS, SecretVariable};

/// A Markdown table for each section, of every variable that `command` takes.
pub fn reference(command: &Command) -> String {
    let mut text = String::new();
    let mut section = String::new();
    for arg in command.get_arguments() {
        let Some(variable) = variable(arg) else {
            continue;
        };
        let heading = arg.get_help_heading().unwrap_or("General");
        if heading != section {
            heading.clone_into(&mut section);
            let gap = if text.is_empty() { "" } else { "\n" };
            let _ = write!(
                text,
                "{gap}### {heading}\n\n| variable | flag | default | meaning |\n| --- | --- | --- | --- |\n"
            );
        }
        if let Some(secret) = secret_of(&variable) {
            let _ = writeln!(
                text,
                "| `{}` | none | {} | {} |",
                secret.name,
                cell(secret.default),
                cell(secret.help)
            );
        }
        let flag = arg
            .get_long()
            .map_or_else(|| "none".to_owned(), |long| format!("`--{long}`"));
        let default: Vec<_> = arg
            .get_default_values()
            .iter()
            .map(|value| format!("`{}`", value.to_string_lossy()))
            .collect();
        let default = if default.is_empty() {
            "none".to_owned()
        } else {
            default.join(", ")
        };
        let help = arg
            .get_long_help()
            .or_else(|| arg.get_help())
            .map(ToString::to_string)
            .unwrap_or_default();
        let _ = writeln!(
            text,
            "| `{variable}` | {flag} | {default} | {} |",
            cell(&help)
        );
    }
    text
}

/// The variable that an argument is read from.
pub(super) fn variable(arg: &Arg) -> Option<String> {
    Some(arg.get_env()?.to_string_lossy().into_owned())
}

/// The secret whose `_FILE` variable this is.
pub(super) fn secret_of(variable: &str) -> Option<&'static SecretVariable> {
    let name = variable.strip_suffix("_FILE")?;
    SECRETS.iter().find(|secret| secret.name == name)
}

/// One line, with nothing that ends a cell.
fn cell(text: &str) -> String {
    text.split("\n\n")
        .map(|paragraph| {
            let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
            line.trim_end_matches('.').to_owned()
        })
        .collect::<Vec<_>>()
        .join(". ")
        .replace('|', "\\|")
}
