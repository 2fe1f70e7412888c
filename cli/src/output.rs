//! What a command prints: its result on standard output, everything else on standard error.

use std::fmt::Display;
use std::io::{ErrorKind, Write as _};

/// Prints a line and flushes, so that a reader of a pipe has it at once. A reader that is gone is
/// no failure of ours.
pub(crate) fn line(text: impl Display) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Prints to standard error, where a failure to do so has nowhere to be told.
pub(crate) fn complain(text: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Left-aligned columns, two spaces apart. The first row is the heading.
pub(crate) fn table(rows: &[Vec<String>]) -> std::io::Result<()> {
    for row in aligned(rows) {
        line(row)?;
    }
    Ok(())
}

/// The lines of a table.
pub(crate) fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells
                .map(|cell| console::measure_text_width(cell))
                .max()
                .unwrap_or_default()
        })
        .collect();
    rows.iter()
        .map(|row| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| {
                let gap = width.saturating_sub(console::measure_text_width(cell));
                format!("{cell}{}", " ".repeat(gap))
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: [&str; 2]| cells.map(ToOwned::to_owned).to_vec();
        assert_eq!(
            aligned(&[row(["a", "b"]), row(["long", "x"])]),
            ["a     b", "long  x"]
        );
    }
}
