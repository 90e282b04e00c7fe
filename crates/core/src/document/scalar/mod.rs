//! Scalars of documents: text with a rule, sizes, durations, numbers, addresses.

mod git;
mod kernel;
mod name;
mod net;
mod path;
mod text;
mod units;

pub(crate) use crate::model::Millis;
pub(crate) use git::*;
pub(crate) use kernel::*;
pub(crate) use name::*;
pub(crate) use net::*;
pub(crate) use path::*;
pub(crate) use text::*;
pub(crate) use units::*;

use super::decode::{Cx, Written};
use super::node::{Kind, Node};
use serde_json::Value;

/// Why a text is not the scalar that is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// What is wrong: `has no unit`; it follows the text in quotes.
    pub(crate) message: String,
    /// What to write.
    pub(crate) help: Option<String>,
}

impl Wrong {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// A duration as people write it in documents, and on command lines: `30s`, `5min`.
///
/// # Errors
/// Why it is none, and what to write.
pub fn duration(text: &str) -> Result<Millis, String> {
    Millis::parse(text).map_err(|wrong| match wrong.help {
        Some(help) => format!("{}: {help}", wrong.message),
        None => wrong.message,
    })
}

/// A scalar that is written as text and has a rule.
pub(crate) trait Scalar: Sized {
    /// What it is, for messages: `a size`.
    const EXPECTED: &'static str;
    /// Rule identifier of a text that does not fit.
    const RULE: &'static str;
    /// Whether a plain YAML number is taken as text too.
    const NUMBER: bool = false;

    /// Checks `text`.
    fn parse(text: &str) -> Result<Self, Wrong>;
    /// The JSON Schema.
    fn schema() -> Value;
    /// What to write when a number is found.
    fn number_help(number: &str) -> String {
        format!("write it in quotes: \"{number}\"")
    }
}

impl<T: Scalar> Written for T {
    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let text = match &node.kind {
            Kind::Text(text) => text,
            Kind::Number(text) if T::NUMBER => text,
            Kind::Number(number) => {
                cx.wrong_type(node, T::EXPECTED, Some(T::number_help(number)));
                return None;
            }
            _ => {
                cx.wrong_type(node, T::EXPECTED, None);
                return None;
            }
        };
        match T::parse(text) {
            Ok(value) => Some(value),
            Err(wrong) => {
                let message = format!("`{}`: {}", cx.key(), wrong.message);
                cx.error_help(node.span, T::RULE, message, wrong.help);
                None
            }
        }
    }

    fn schema() -> Value {
        <T as Scalar>::schema()
    }
}
