//! Names, and the one that somebody may have meant.

use super::{Scalar, Wrong};
use crate::model::Name;
use serde_json::{Value, json};

/// The pattern of [`Name`] in a schema.
pub(crate) const NAME_PATTERN: &str = "^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$";

impl Scalar for Name {
    const EXPECTED: &'static str = "a name";
    const RULE: &'static str = "name";

    fn parse(text: &str) -> Result<Self, Wrong> {
        Self::new(text).map_err(|error| {
            let wrong = Wrong::new(error.to_string());
            match name_from(text) {
                Some(name) => wrong.help(format!("write `{name}`")),
                None => wrong,
            }
        })
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": NAME_PATTERN })
    }
}

/// The name that is nearest to `text`, if one is.
pub(crate) fn name_from(text: &str) -> Option<String> {
    let folded: String = text
        .chars()
        .take(64)
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect();
    let trimmed = folded.trim_matches('-');
    let cut = trimmed.get(..32).unwrap_or(trimmed).trim_matches('-');
    (!cut.is_empty()).then(|| cut.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_is_proposed() {
        assert_eq!(name_from("My Shop_1").as_deref(), Some("my-shop-1"));
        assert_eq!(name_from("---"), None);
    }

    proptest! {
        #[test]
        fn a_proposed_name_is_a_name(text in "\\PC{0,50}") {
            if let Some(name) = name_from(&text) {
                prop_assert!(Name::new(name).is_ok());
            }
        }
    }
}
