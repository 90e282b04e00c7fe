//! Our terminal, as that of a command in a host.

use anyhow::Result;
use rustix::termios::{OptionalActions, Termios};
use std::io;

/// Our terminal in raw mode, until it is dropped.
pub(super) struct Raw(Termios);

impl Raw {
    /// None when our input or output is not a terminal.
    pub(super) fn new() -> Result<Option<Self>> {
        if !rustix::termios::isatty(io::stdin()) || !rustix::termios::isatty(io::stdout()) {
            return Ok(None);
        }
        let before = rustix::termios::tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        rustix::termios::tcsetattr(io::stdin(), OptionalActions::Flush, &raw)?;
        Ok(Some(Self(before)))
    }

    /// The words that give `words` a terminal of the size of ours.
    pub(super) fn wrap(&self, words: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>> {
        let size = rustix::termios::tcgetwinsize(io::stdout())?;
        let mut line = format!("stty rows {} cols {}; exec", size.ws_row, size.ws_col).into_bytes();
        for word in words {
            line.extend(b" '");
            line.extend(word.iter().flat_map(|byte| match byte {
                b'\'' => br"'\''".to_vec(),
                byte => vec![*byte],
            }));
            line.push(b'\'');
        }
        let script = [
            "script",
            "--quiet",
            "--return",
            "--echo=always",
            "--command",
        ];
        let mut wrapped = script.map(|word| word.as_bytes().to_vec()).to_vec();
        wrapped.extend([line, b"/dev/null".to_vec()]);
        Ok(wrapped)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = rustix::termios::tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}
