//! Reads back what [`super::UnitFile`] writes; stricter than systemd, so that nothing can be read in two ways.

use std::iter::Peekable;
use std::str::Chars;

/// One `Key=value` of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Assignment<'t> {
    /// The section, without brackets.
    pub(crate) section: &'t str,
    /// Left of the first `=`.
    pub(crate) key: &'t str,
    /// Right of it, as written.
    pub(crate) value: &'t str,
}

/// Assignments in order; the first line that is none, nor a section, a comment or empty, as an error.
///
/// Continued lines, white space around a key or value, and control characters are errors.
pub(crate) fn assignments(text: &str) -> Result<Vec<Assignment<'_>>, &str> {
    let mut section = "";
    let mut found = Vec::new();
    for line in text.split('\n') {
        if line.chars().any(char::is_control) || line.ends_with('\\') || line.trim() != line {
            return Err(line);
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            section = name;
            continue;
        }
        match line.split_once('=') {
            Some((key, value))
                if super::is_key(key) && !section.is_empty() && value.trim() == value =>
            {
                found.push(Assignment {
                    section,
                    key,
                    value,
                });
            }
            _ => return Err(line),
        }
    }
    Ok(found)
}

/// Words of a value, unquoted; `None` when it is not written as [`super::UnitFile`] writes it, or holds a specifier.
pub(crate) fn words(value: &str) -> Option<Vec<String>> {
    split(value, false)
}

/// Words of a command line without its prefix; as [`words`], and `None` when it holds a variable.
pub(crate) fn command(value: &str) -> Option<Vec<String>> {
    split(value, true)
}

fn split(value: &str, variables: bool) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut chars = value.chars().peekable();
    while chars.peek().is_some() {
        words.push(word(&mut chars, variables)?);
        match chars.next() {
            None => break,
            // A separator, and something after it.
            Some(' ') if chars.peek().is_some_and(|c| *c != ' ') => {}
            Some(_) => return None,
        }
    }
    Some(words)
}

fn word(chars: &mut Peekable<Chars<'_>>, variables: bool) -> Option<String> {
    let quoted = chars.next_if_eq(&'"').is_some();
    let mut word = String::new();
    loop {
        match chars.peek() {
            None | Some(' ') if !quoted => return Some(word),
            None => return None,
            _ => {}
        }
        match chars.next()? {
            '"' => return quoted.then_some(word),
            '\\' if quoted => word.push(escaped(chars)?),
            '\'' | '\\' | ';' if !quoted => return None,
            c @ '%' => {
                chars.next_if_eq(&c)?;
                word.push(c);
            }
            c @ '$' if variables => {
                chars.next_if_eq(&c)?;
                word.push(c);
            }
            c => word.push(c),
        }
    }
}

fn escaped(chars: &mut Peekable<Chars<'_>>) -> Option<char> {
    match chars.next()? {
        'n' => Some('\n'),
        't' => Some('\t'),
        'u' => {
            let digits: String = chars.by_ref().take(4).collect();
            let number = u32::from_str_radix(&digits, 16).ok()?;
            char::from_u32(number).filter(|_| digits.len() == 4)
        }
        c @ ('"' | '\\') => Some(c),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unitfile::UnitFile;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_read_back(arguments in proptest::collection::vec("[^\0]{0,12}", 0..5)) {
            let mut line = vec!["program".to_owned()];
            line.extend(arguments);
            let mut file = UnitFile::new("a comment");
            file.section("Service").command("ExecStart", "", &line).words("Words", &line);
            let text = file.finish().unwrap();
            let read = assignments(&text).unwrap();
            prop_assert_eq!(command(read[0].value).unwrap(), line.clone());
            prop_assert_eq!(words(read[1].value).unwrap(), line);
        }

        #[test]
        fn anything_is_read_without_a_panic(text in "(?s).{0,80}") {
            let _ = (assignments(&text), words(&text), command(&text));
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for line in [
            "A=b\\", " A=b", "A=b ", "A =b", "A= b", "A", "[A", "A=\u{1}",
        ] {
            assert!(assignments(&format!("[S]\n{line}\n")).is_err(), "{line:?}");
        }
        assert!(assignments("A=b\n").is_err());
        for value in [
            "%i", "$HOME", "${X}", "'a'", "\"a", "a\"b", "a  b", "a ", "a;b", "a\\x20b",
        ] {
            assert_eq!(command(value), None, "{value:?}");
        }
    }
}
