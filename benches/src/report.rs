//! Rows of results, as a table or as JSON.

use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::time::Duration;

/// One result.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    /// What was measured.
    pub(crate) what: String,
    /// The result.
    pub(crate) ours: Option<Quantity>,
    /// What it is compared with, and its result.
    pub(crate) beside: Option<(String, Option<Quantity>)>,
    /// What was promised, and whether it holds.
    pub(crate) target: Option<(Target, bool)>,
}

/// A size with its unit.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Quantity {
    /// Time.
    Milliseconds(f64),
    /// Memory.
    Mebibytes(f64),
}

/// A promise.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    /// At most this many times the other.
    Ratio(f64),
    /// At most this much more than the other.
    More(Quantity),
    /// At most this much.
    Most(Quantity),
}

impl Quantity {
    fn value(self) -> f64 {
        match self {
            Self::Milliseconds(value) | Self::Mebibytes(value) => value,
        }
    }
}

impl From<Duration> for Quantity {
    fn from(duration: Duration) -> Self {
        Self::Milliseconds(duration.as_secs_f64() * 1e3)
    }
}

impl Row {
    /// `ours` on its own.
    pub(crate) fn alone(what: impl Into<String>, ours: impl Into<Quantity>) -> Self {
        Self {
            what: what.into(),
            ours: Some(ours.into()),
            beside: None,
            target: None,
        }
    }

    /// `ours` beside `theirs`.
    pub(crate) fn beside(
        what: impl Into<String>,
        ours: impl Into<Quantity>,
        name: impl Into<String>,
        theirs: impl Into<Quantity>,
    ) -> Self {
        Self {
            beside: Some((name.into(), Some(theirs.into()))),
            ..Self::alone(what, ours)
        }
    }

    /// Nothing to compare with: the other program is not there.
    pub(crate) fn not_installed(what: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            ours: None,
            beside: Some((name.into(), None)),
            target: None,
        }
    }

    /// With a promise.
    pub(crate) fn promised(mut self, target: Target) -> Self {
        let ours = self.ours.map_or(f64::NAN, Quantity::value);
        let theirs = self.theirs().map_or(f64::NAN, Quantity::value);
        let holds = match target {
            Target::Ratio(most) => ours <= most * theirs,
            Target::More(most) => ours <= theirs + most.value(),
            Target::Most(most) => ours <= most.value(),
        };
        self.target = Some((target, holds));
        self
    }

    fn theirs(&self) -> Option<Quantity> {
        self.beside.as_ref().and_then(|(_, theirs)| *theirs)
    }
}

/// All rows: a Markdown table, or JSON.
pub(crate) fn print(rows: &[Row], json: bool) -> String {
    if json {
        // Plain values: this cannot fail.
        return serde_json::to_string_pretty(rows).unwrap_or_default() + "\n";
    }
    let mut text =
        String::from("| what | ours | beside it | ratio | target |\n|---|---|---|---|---|\n");
    for row in rows {
        let cells = [
            row.what.clone(),
            row.ours.map(show).unwrap_or_default(),
            beside(row),
            ratio(row),
            target(row),
        ];
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text
}

fn show(quantity: Quantity) -> String {
    let (value, unit) = match quantity {
        Quantity::Milliseconds(value) => (value, "ms"),
        Quantity::Mebibytes(value) => (value, "MiB"),
    };
    let digits = match value.abs() {
        value if value < 10.0 => 2,
        value if value < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

fn beside(row: &Row) -> String {
    match &row.beside {
        None => String::new(),
        Some((name, Some(theirs))) => format!("{name}: {}", show(*theirs)),
        Some((name, None)) => format!("{name}: not installed here"),
    }
}

fn ratio(row: &Row) -> String {
    match (row.ours, row.theirs()) {
        (Some(ours), Some(theirs)) => {
            let ratio = ours.value() / theirs.value();
            if ratio < 0.1 {
                format!("1/{:.0}", 1.0 / ratio)
            } else {
                format!("{ratio:.2}")
            }
        }
        _ => String::new(),
    }
}

fn target(row: &Row) -> String {
    let Some((target, holds)) = row.target else {
        return String::new();
    };
    let text = match target {
        Target::Ratio(most) => format!("{most} times"),
        Target::More(most) => format!("{} more", show(most)),
        Target::Most(most) => show(most),
    };
    format!("at most {text}: {}", if holds { "yes" } else { "NO" })
}
