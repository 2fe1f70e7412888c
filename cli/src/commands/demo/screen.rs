//! How the demo looks: colours and marks in a terminal, plain text everywhere else.

use std::io;

use console::{Term, measure_text_width, style};
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
        self.lines(&format!("{} {text}", style(mark).green()), false)
    }

    /// Something that was checked and is wrong.
    pub(super) fn bad(&self, text: &str) -> io::Result<()> {
        let mark = if self.terminal { "✘" } else { "WRONG" };
        self.line(&format!("{} {text}", style(mark).red().bold()))
    }

    /// Names after a sign, in as many lines as they need.
    pub(super) fn names(&self, sign: char, what: &str, names: &[String]) -> io::Result<()> {
        self.lines(&format!("{sign} {what}: {}", names.join(", ")), false)
    }

    /// A sentence, in as many lines as it needs.
    pub(super) fn text(&self, text: &str) -> io::Result<()> {
        self.lines(text, true)
    }

    fn lines(&self, text: &str, quiet: bool) -> io::Result<()> {
        for line in wrapped(text) {
            if quiet {
                self.quiet(&line)?;
            } else {
                self.line(&line)?;
            }
        }
        Ok(())
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

/// A text in lines of at most 96 columns, where its words allow that. Those after the first are indented.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let width = measure_text_width(word);
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if measure_text_width(line) + width < 96 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("  {word}")),
        }
    }
    lines
}
