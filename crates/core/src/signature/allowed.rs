//! Lists of allowed signers, ssh-keygen(1) "ALLOWED SIGNERS": `alice@example.org valid-before="20270101" ssh-ed25519 AAAA...`.

use super::key::{Key, is_algorithm};
use super::line::{Line, Word, lines};
use super::pattern::Patterns;
use super::time;
use crate::finding::{Finding, Origin};
use serde::{Deserialize, Serialize};

/// One line: a key, whose it is, and when and for what it may sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowedSigner {
    /// Where it is written.
    pub origin: Origin,
    /// Whose key it is.
    pub principals: Patterns,
    /// What it may sign; everything when it is not written.
    pub namespaces: Option<Patterns>,
    /// First second at which it may sign.
    pub valid_after: Option<i64>,
    /// Last second at which it may sign.
    pub valid_before: Option<i64>,
    /// The key.
    pub key: Key,
}

/// Reads the list `text` of `file`. Lines with a key that cannot be used here are left out with a warning; what is wrong
/// is an error, because a restriction that is not understood must not be passed over.
pub fn allowed_signers(file: &str, text: &str, findings: &mut Vec<Finding>) -> Vec<AllowedSigner> {
    let read = |line| signer(line).map_err(|finding| findings.push(finding));
    lines(file, text).map(read).filter_map(Result::ok).collect()
}

fn signer(mut line: Line<'_>) -> Result<AllowedSigner, Finding> {
    // `lines` leaves out those without a word.
    let principals = line.word().unwrap_or_default();
    let list = unquoted(principals.text).unwrap_or(principals.text);
    if list.is_empty() || list.contains('"') || is_algorithm(list) {
        let error = line.error(
            principals,
            "whose key it is stands here, as `alice@example.org`",
        );
        return Err(error);
    }
    let mut word = line.word();
    let mut options = Options::default();
    if let Some(options_word) = word.filter(|word| !is_algorithm(word.text)) {
        options = Options::read(&line, options_word)?;
        word = line.word();
    }
    let (Some(algorithm), Some(base64)) = (word, line.word()) else {
        let message = "the line has no key";
        let help = "write `PRINCIPAL[,...] [OPTIONS] ssh-ed25519 AAAA...`, as ssh-keygen(1) says";
        return Err(line.error(principals, message).help(help));
    };
    let key = key(&line, algorithm, base64)?;
    if options.authority {
        let message = "certificate authorities are not supported: the line is left out";
        return Err(line
            .warning(algorithm, message)
            .help("list the keys themselves"));
    }
    Ok(AllowedSigner {
        origin: line.origin(principals),
        principals: Patterns(list.to_owned()),
        namespaces: options.namespaces,
        valid_after: options.valid_after,
        valid_before: options.valid_before,
        key,
    })
}

fn key(line: &Line<'_>, algorithm: Word<'_>, base64: Word<'_>) -> Result<Key, Finding> {
    let key = Key::read(algorithm.text, base64.text)
        .map_err(|wrong| line.error(base64, format!("the key {wrong}")))?;
    if key.is_verified() {
        return Ok(key);
    }
    let message = format!(
        "`{}` keys are not accepted: the line is left out",
        key.algorithm
    );
    Err(line
        .warning(algorithm, message)
        .help("`ssh-keygen -t ed25519` makes one that is"))
}

#[derive(Default)]
struct Options {
    authority: bool,
    namespaces: Option<Patterns>,
    valid_after: Option<i64>,
    valid_before: Option<i64>,
}

impl Options {
    fn read(line: &Line<'_>, word: Word<'_>) -> Result<Self, Finding> {
        let mut options = Self::default();
        for option in split(word.text) {
            let (name, value) = match option.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (option, None),
            };
            let wrong = |what: &str| {
                let help = "known are namespaces=\"git\", valid-after=\"20260101Z\" and \
                            valid-before=\"20270101Z\"";
                line.error(word, format!("option `{option}` {what}"))
                    .help(help)
            };
            let value = match value {
                Some(value) => {
                    Some(unquoted(value).ok_or_else(|| wrong("needs its value in double quotes"))?)
                }
                None => None,
            };
            let moment = |before: Option<i64>| match value.and_then(time::parse) {
                Some(time) if before.is_none() => Ok(Some(time)),
                Some(_) => Err(wrong("is written twice")),
                None => Err(wrong("is not a time")),
            };
            match (name.to_ascii_lowercase().as_str(), value) {
                ("cert-authority", None) => options.authority = true,
                ("namespaces", Some(list)) if options.namespaces.is_none() => {
                    options.namespaces = Some(Patterns(list.to_owned()));
                }
                ("valid-after", _) => options.valid_after = moment(options.valid_after)?,
                ("valid-before", _) => options.valid_before = moment(options.valid_before)?,
                _ => return Err(wrong("is not known here")),
            }
        }
        match (options.valid_after, options.valid_before) {
            (Some(after), Some(before)) if after >= before => {
                Err(line.error(word, "the key is valid at no time"))
            }
            _ => Ok(options),
        }
    }
}

/// The parts of `text` between commas that are not between quotes.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c: char| {
        quoted ^= c == '"';
        c == ',' && !quoted
    })
}

/// What is between the quotes that `text` begins and ends with. A quote inside is refused: nothing here needs one.
fn unquoted(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    (!inner.contains(['"', '\\'])).then_some(inner)
}
