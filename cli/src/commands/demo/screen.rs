//! How the demo looks: colours and marks in a terminal, plain text everywhere else.

use std::io;

use console::{Term, style};
use indicatif::{ProgressBar, ProgressStyle};

use crate::output;

/// Standard output, and whether people look at it.
#[derive(Debug)]
pub(super) struct Screen {
    terminal: bool,
    step: usize,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self {
            terminal: Term::stdout().is_term(),
            step: 0,
        }
    }

    #[expect(clippy::unused_self, reason = "the screen is what is written to")]
    pub(super) fn title(&self, text: &str) -> io::Result<()> {
        output::line(style(text).bold())
    }

    /// A numbered heading.
    pub(super) fn step(&mut self, text: &str) -> io::Result<()> {
        self.step += 1;
        let number = style(format!("{}.", self.step)).cyan().bold();
        output::line(format!("\n{number} {}", style(text).bold()))
    }

    #[expect(clippy::unused_self, reason = "the screen is what is written to")]
    pub(super) fn line(&self, text: &str) -> io::Result<()> {
        output::line(format!("   {text}"))
    }

    pub(super) fn quiet(&self, text: &str) -> io::Result<()> {
        self.line(&style(text).dim().to_string())
    }

    /// Something that was checked and is right.
    pub(super) fn good(&self, text: &str) -> io::Result<()> {
        let mark = if self.terminal { "✔" } else { "ok" };
        self.line(&format!("{} {text}", style(mark).green()))
    }

    /// Something that was checked and is wrong.
    pub(super) fn bad(&self, text: &str) -> io::Result<()> {
        let mark = if self.terminal { "✘" } else { "WRONG" };
        self.line(&format!("{} {text}", style(mark).red().bold()))
    }

    /// Names after a sign, in as many lines as they need.
    pub(super) fn names(&self, sign: char, what: &str, names: &[String]) -> io::Result<()> {
        if names.is_empty() {
            return self.quiet(&format!("{sign} {what}: none"));
        }
        let text = format!("{sign} {what}: {}", names.join(", "));
        let mut line = String::new();
        for word in text.split(' ') {
            if !line.is_empty() && line.len() + word.len() > 84 {
                self.line(&line)?;
                "   ".clone_into(&mut line);
            }
            if !line.is_empty() && line != "   " {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(&line)
    }

    /// A table whose first row is its heading.
    pub(super) fn table(&self, rows: &[Vec<String>]) -> io::Result<()> {
        for (index, row) in output::aligned(rows).iter().enumerate() {
            if index == 0 {
                self.quiet(row)?;
            } else {
                self.line(row)?;
            }
        }
        Ok(())
    }

    /// A bar that shows only in a terminal.
    pub(super) fn progress(&self, total: u64) -> ProgressBar {
        if !self.terminal {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new(total);
        // The template is a constant; were it wrong, the default bar would do as well.
        if let Ok(style) = ProgressStyle::with_template("   {bar:40.cyan/dim} {pos}/{len} {msg}") {
            bar.set_style(style);
        }
        bar
    }
}
