//! Rows in columns.

use crate::ui::{Style, Ui};
use bitbuilder_core::report::escape;

/// A text with a style; hostile characters are escaped here, in one place.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// `text` in `style`.
    pub(crate) fn new(text: impl AsRef<str>, style: Style) -> Self {
        Self {
            text: escape(text.as_ref()),
            style,
        }
    }

    /// `text` as it is.
    pub(crate) fn plain(text: impl AsRef<str>) -> Self {
        Self::new(text, Style::Plain)
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

/// A table with a heading.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table with these columns.
    pub(crate) fn new(heading: &[&str]) -> Self {
        let heading = heading.iter().map(|word| Cell::new(word, Style::Bold));
        Self {
            rows: vec![heading.collect()],
        }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// The table as text; the last column is as long as it is.
    pub(crate) fn text(&self, ui: &Ui) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|at| {
                let cells = self.rows.iter().filter_map(|row| row.get(at));
                cells.map(Cell::width).max().unwrap_or(0)
            })
            .collect();
        let mut text = String::new();
        for row in &self.rows {
            let last = row.iter().rposition(|cell| !cell.text.is_empty());
            for (at, cell) in row.iter().enumerate().take(last.map_or(0, |at| at + 1)) {
                text.push_str(&ui.paint(cell.style, &cell.text));
                if Some(at) != last {
                    let padding = widths[at].saturating_sub(cell.width()) + 2;
                    text.push_str(&" ".repeat(padding));
                }
            }
            text.push('\n');
        }
        text
    }
}

/// `name: value` lines, the values in one column.
pub(crate) fn pairs(pairs: &[(&str, Cell)], ui: &Ui) -> String {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, cell): &(&str, Cell)| {
        let name = ui.paint(Style::Bold, &format!("{name:<width$}"));
        format!("{name}  {}\n", ui.paint(cell.style, &cell.text))
    };
    pairs.iter().map(line).collect()
}
