//! The part of `deny.toml` that we use.

use anyhow::{Context, Result, bail};
use std::collections::HashMap;

/// What is allowed.
#[derive(Debug)]
pub(super) struct Rules {
    /// SPDX ids.
    pub(super) licenses: Vec<String>,
    /// Crates that must not be there.
    pub(super) banned: Vec<String>,
    /// Crates that may be there in several versions.
    pub(super) skip: Vec<String>,
    /// URLs of registries.
    pub(super) registries: Vec<String>,
}

impl Rules {
    /// Reads `[section]`, `key = "text"` and `key = ["text", ...]`; anything else is an error, so that no rule is ignored.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut values = values(text)?;
        for (key, expected) in [
            ("bans.multiple-versions", "deny"),
            ("sources.unknown-registry", "deny"),
            ("sources.unknown-git", "deny"),
            ("graph.targets", "x86_64-unknown-linux-gnu"),
        ] {
            if values.remove(key) != Some(vec![expected.to_owned()]) {
                bail!("deny.toml: {key} must be {expected}");
            }
        }
        let mut take = |key: &str| {
            let value = values.remove(key);
            value.with_context(|| format!("deny.toml: {key} is missing"))
        };
        let rules = Self {
            licenses: take("licenses.allow")?,
            banned: take("bans.deny")?,
            skip: take("bans.skip")?,
            registries: take("sources.allow-registry")?,
        };
        match values.into_keys().next() {
            Some(key) => bail!("deny.toml: {key} is not checked"),
            None => Ok(rules),
        }
    }
}

fn values(text: &str) -> Result<HashMap<String, Vec<String>>> {
    let mut values = HashMap::new();
    let mut section = String::new();
    let mut lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim());
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            name.clone_into(&mut section);
            continue;
        }
        let (key, value) = line
            .split_once('=')
            .with_context(|| format!("deny.toml: {line}"))?;
        let mut value = value.trim().to_owned();
        while value.starts_with('[') && !value.ends_with(']') {
            value += lines.next().context("deny.toml: a list does not end")?;
        }
        // A JSON list may not end in a comma, a TOML list may.
        let list = value
            .trim_start_matches('[')
            .trim_end_matches(']')
            .trim_end_matches(',');
        let list = serde_json::from_str(&format!("[{list}]"))
            .with_context(|| format!("deny.toml: {value} is not a list of texts"))?;
        values.insert(format!("{section}.{}", key.trim()), list);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = "[graph]\ntargets = [\"x86_64-unknown-linux-gnu\"]\n[bans]\nmultiple-versions = \"deny\"\n\
        deny = []\nskip = [ # why\n  \"a\",\n  \"b\",\n]\n[sources]\nunknown-registry = \"deny\"\nunknown-git = \"deny\"\n\
        allow-registry = []\n[licenses]\nallow = [\"MIT\"]\n";

    #[test]
    fn reads_lists_and_refuses_what_it_would_ignore() {
        let rules = Rules::parse(START).unwrap();
        assert_eq!(rules.skip, ["a", "b"]);
        assert_eq!(rules.licenses, ["MIT"]);
        let error = Rules::parse(&format!("{START}confidence = \"high\"\n")).unwrap_err();
        assert!(error.to_string().contains("licenses.confidence"));
        assert!(Rules::parse(&START.replace("unknown-git = \"deny\"", "")).is_err());
    }
}
