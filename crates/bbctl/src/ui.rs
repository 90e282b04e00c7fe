//! The terminal: colours only where they are wanted, and no text of a tenant that could change what it shows.

use crate::error::{CommandError, Failure};
use bitbuilder_core::report::escape_json;
use serde::Serialize;
use std::io::{IsTerminal, Write};

/// When output has colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How a word is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Bold,
    Dim,
    Good,
    Warn,
    Bad,
}

/// Where output goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ui {
    /// Colours on standard output.
    pub(crate) color: bool,
    /// Colours on standard error.
    pub(crate) color_errors: bool,
}

impl Ui {
    pub(crate) fn new(choice: ColorChoice) -> Self {
        let wanted = |terminal: bool| match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        };
        Self {
            color: wanted(std::io::stdout().is_terminal()),
            color_errors: wanted(std::io::stderr().is_terminal()),
        }
    }

    /// Prints `text` as it is.
    pub(crate) fn print(&self, text: &str) -> Result<(), CommandError> {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .map_err(|error| Failure::Output(error).into())
    }

    /// Prints a value for programs.
    pub(crate) fn json<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), CommandError> {
        let text =
            serde_json::to_string_pretty(value).map_err(|error| Failure::Output(error.into()))?;
        self.print(&escape_json(&format!("{text}\n")))
    }

    /// Prints a value for programs in one line: one of many.
    pub(crate) fn json_line<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), CommandError> {
        let text = serde_json::to_string(value).map_err(|error| Failure::Output(error.into()))?;
        self.print(&escape_json(&format!("{text}\n")))
    }

    /// Says something on standard error, as it is.
    pub(crate) fn note(&self, text: &str) {
        // There is nobody left to tell when this fails.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }

    pub(crate) fn error(&self, text: &str) {
        let word = paint(self.color_errors, Style::Bad, "error:");
        self.note(&format!("{word} {text}\n"));
    }

    pub(crate) fn hint(&self, text: &str) {
        let word = paint(self.color_errors, Style::Bold, "hint:");
        self.note(&format!("{word} {text}\n"));
    }

    /// `text` in `style` on standard output.
    pub(crate) fn paint(&self, style: Style, text: &str) -> String {
        paint(self.color, style, text)
    }
}

/// `text` in `style`, if `color`.
pub(crate) fn paint(color: bool, style: Style, text: &str) -> String {
    let code = match style {
        Style::Plain => return text.to_owned(),
        Style::Bold => "1",
        Style::Dim => "2",
        Style::Good => "32",
        Style::Warn => "33",
        Style::Bad => "1;31",
    };
    if color {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
