//! The one writer of systemd's file syntax (systemd.syntax(7)): units, drop-ins, `.netdev` and `.network`.
//!
//! A value enters by the way its setting is read, so that no text of a document can become a second line, a
//! specifier, a variable or another argument. What cannot be expressed is refused, never bent.

mod escape;
mod quote;
pub(crate) mod read;
#[cfg(test)]
mod reader;
#[cfg(test)]
mod tests;

pub use escape::{escape_path, escape_unit_name};

use std::fmt::Write as _;

/// A value that systemd's syntax cannot carry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}=` cannot hold {value:?}: {reason}")]
pub struct Unwritable {
    /// The setting.
    pub key: String,
    /// The value, as it was given.
    pub value: String,
    /// Why not.
    pub reason: &'static str,
}

/// A file in the making. The first value that cannot be written is kept and reported by [`UnitFile::finish`].
#[derive(Debug, Clone, Default)]
pub struct UnitFile {
    text: String,
    error: Option<Unwritable>,
}

impl UnitFile {
    /// An empty file that begins with `comment`, one `#` line per line of it.
    pub fn new(comment: &str) -> Self {
        let mut file = Self::default();
        for line in comment.lines() {
            let clean: String = line.chars().filter(|c| !c.is_control()).collect();
            // A final backslash would not continue a comment, but a reader may think so.
            let _ = writeln!(file.text, "# {}", clean.trim_end_matches('\\'));
        }
        file
    }

    /// Begins the section `name`; the same name may come again (`[DHCPServerStaticLease]`).
    pub fn section(&mut self, name: &'static str) -> &mut Self {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let _ = writeln!(self.text, "[{name}]");
        self
    }

    /// A value that its reader takes as it stands: networkd's settings, numbers, `X-` keys.
    pub fn verbatim(&mut self, key: &str, value: impl std::fmt::Display) -> &mut Self {
        let value = value.to_string();
        self.assign(key, &value, Ok(value.clone()))
    }

    /// A value in which its reader expands specifiers: descriptions, paths, mount options. `%` becomes `%%`.
    pub fn text(&mut self, key: &str, value: &str) -> &mut Self {
        self.assign(key, value, Ok(value.replace('%', "%%")))
    }

    /// Words that its reader splits and unquotes: `LogExtraFields=`, `Environment=`.
    pub fn words<S: AsRef<str>>(&mut self, key: &str, words: &[S]) -> &mut Self {
        let written = words
            .iter()
            .map(|word| quote::word(word.as_ref()))
            .collect::<Result<Vec<_>, _>>();
        self.assign(key, &joined(words), written.map(|words| words.join(" ")))
    }

    /// Names of units; their backslashes are part of the name and stay as they are.
    pub fn units<S: AsRef<str>>(&mut self, key: &str, names: &[S]) -> &mut Self {
        let all = joined(names);
        let written = if names.iter().all(|name| is_unit_name(name.as_ref())) {
            Ok(all.clone())
        } else {
            Err("it is no unit name")
        };
        self.assign(key, &all, written)
    }

    /// One environment variable in the form of `Environment=`.
    pub fn environment(&mut self, name: &str, value: &str) -> &mut Self {
        let word = format!("{name}={value}");
        let written = if is_variable(name) {
            quote::word(&word)
        } else {
            Err("it is no name of a variable")
        };
        self.assign("Environment", &word, written)
    }

    /// A command line: `key=PREFIXprogram arguments...`, where `prefix` is of systemd's `-@:+!|` characters.
    pub fn command<S: AsRef<str>>(
        &mut self,
        key: &str,
        prefix: &'static str,
        command: &[S],
    ) -> &mut Self {
        let written = command_line(command).map(|line| format!("{prefix}{line}"));
        self.assign(key, &joined(command), written)
    }

    /// An empty assignment, which makes systemd forget what earlier files of the unit said.
    pub fn reset(&mut self, key: &str) -> &mut Self {
        self.assign(key, "", Ok(String::new()))
    }

    /// The text of the file.
    ///
    /// # Errors
    /// The first value that could not be written.
    pub fn finish(&self) -> Result<String, Unwritable> {
        match &self.error {
            Some(error) => Err(error.clone()),
            None => Ok(self.text.clone()),
        }
    }

    fn assign(
        &mut self,
        key: &str,
        given: &str,
        written: Result<String, &'static str>,
    ) -> &mut Self {
        let checked = written.and_then(|line| check_line(&line).map(|()| line));
        match checked {
            Ok(line) if is_key(key) => {
                let _ = writeln!(self.text, "{key}={line}");
            }
            Ok(_) => self.refuse(key, given, "it is no name of a setting"),
            Err(reason) => self.refuse(key, given, reason),
        }
        self
    }

    fn refuse(&mut self, key: &str, given: &str, reason: &'static str) {
        self.error.get_or_insert_with(|| Unwritable {
            key: key.to_owned(),
            value: given.to_owned(),
            reason,
        });
    }
}

fn joined<S: AsRef<str>>(words: &[S]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    words.join(" ")
}

fn command_line<S: AsRef<str>>(command: &[S]) -> Result<String, &'static str> {
    let Some((program, arguments)) = command.split_first() else {
        return Err("a command needs a program");
    };
    let mut line = quote::program(program.as_ref())?;
    for argument in arguments {
        line.push(' ');
        line.push_str(&quote::argument(argument.as_ref())?);
    }
    Ok(line)
}

/// What every written value must be: one line that the reader gets back as it is.
fn check_line(line: &str) -> Result<(), &'static str> {
    if line.chars().any(char::is_control) {
        return Err("control characters and line breaks are not allowed");
    }
    if line.ends_with('\\') {
        return Err("a final backslash would continue the line");
    }
    if line.trim() != line {
        return Err("outer white space would be lost");
    }
    Ok(())
}

fn is_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn is_variable(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && name.bytes().next().is_some_and(|b| !b.is_ascii_digit())
}

fn is_unit_name(name: &str) -> bool {
    (1..=255).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b":-_.\\@".contains(&b))
        && name.bytes().all(|b| b != b'%')
}
