//! What is made from the definition of the command line.

use crate::cli::command;
use bitbuilder_core::notify::catalog;
use clap_complete::Shell;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Files of the repository that are generated, by path: man pages, completions, the reference of the command line, and the
/// catalog of our entries in the journal.
pub fn generated() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let all = commands();
    for command in &all {
        let name = command.get_display_name().unwrap_or_default();
        files.insert(format!("man/{name}.1"), manual(command));
    }
    files.insert("docs/cli.md".into(), reference(&all));
    files.insert("catalog/bitbuilder.catalog".into(), catalog());
    for (shell, path) in [
        (Shell::Bash, "completions/bbctl.bash"),
        (Shell::Fish, "completions/bbctl.fish"),
        (Shell::Zsh, "completions/_bbctl"),
    ] {
        files.insert(path.into(), completion(shell));
    }
    files
}

/// The completion script of `shell`.
pub(crate) fn completion(shell: Shell) -> String {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut command(), "bbctl", &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The command and all its subcommands, `bbctl`, `bbctl-new`, `bbctl-new-system`, ..., with the flags they inherit.
fn commands() -> Vec<clap::Command> {
    fn add(parent: &clap::Command, name: &str, line: &str, list: &mut Vec<clap::Command>) {
        let subcommands = parent.get_subcommands();
        let subcommands = subcommands.filter(|command| command.get_name() != "help");
        let own = parent
            .clone()
            .bin_name(line.to_owned())
            .display_name(name.to_owned())
            .term_width(100)
            .disable_help_subcommand(true);
        list.push(own);
        for command in subcommands {
            let word = command.get_name();
            add(
                command,
                &format!("{name}-{word}"),
                &format!("{line} {word}"),
                list,
            );
        }
    }
    let mut all = Vec::new();
    let mut root = command();
    root.build();
    add(&root, "bbctl", "bbctl", &mut all);
    all
}

fn manual(command: &clap::Command) -> String {
    let mut bytes = Vec::new();
    let manual = clap_mangen::Man::new(command.clone())
        .section("1")
        .date("")
        .source("BitBuilder Hypervisor")
        .manual("BitBuilder Hypervisor");
    // Writing to memory does not fail.
    let _ = manual.render(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn reference(all: &[clap::Command]) -> String {
    let mut text = String::from(
        "# Command line\n\nWhat `--help` says, of every command. Generated from the definitions; \
         `cargo xtask generate` writes it.\n",
    );
    for command in all {
        let mut command = command.clone();
        let line = command.get_bin_name().unwrap_or_default().to_owned();
        let help = command.render_long_help().to_string();
        // Writing to a String does not fail.
        let _ = write!(text, "\n## {line}\n\n```text\n");
        for line in help.trim_end().lines() {
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text.push_str("```\n");
    }
    text
}
