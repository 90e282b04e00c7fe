//! Output that never fails: whoever listens may have gone, and a pass that runs must not care.

use std::env;
use std::io::{IsTerminal, Write};

/// Where a role says what people should read.
#[derive(Debug)]
pub struct Console {
    error: bool,
    /// Whether findings are shown in colour.
    pub color: bool,
}

impl Console {
    /// Standard output.
    pub fn stdout() -> Self {
        Self {
            error: false,
            color: color_wanted() && std::io::stdout().is_terminal(),
        }
    }

    /// Standard error.
    pub fn stderr() -> Self {
        Self {
            error: true,
            color: color_wanted() && std::io::stderr().is_terminal(),
        }
    }

    /// Standard output of a Git hook: Git forwards it to the person who pushes, whose terminal shows it.
    pub fn hook() -> Self {
        Self {
            error: false,
            color: color_wanted(),
        }
    }

    /// Says `text` and ends the line. A reader that has gone, or a full disk, is no reason to stop.
    pub fn say(&self, text: &str) {
        let mut line = text.trim_end_matches('\n').to_owned();
        line.push('\n');
        let _ = if self.error {
            std::io::stderr().lock().write_all(line.as_bytes())
        } else {
            let mut out = std::io::stdout().lock();
            out.write_all(line.as_bytes()).and_then(|()| out.flush())
        };
    }
}

/// <https://no-color.org>, and a terminal that knows colours.
fn color_wanted() -> bool {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    set("NO_COLOR").is_none() && set("TERM").is_some_and(|terminal| terminal != "dumb")
}
