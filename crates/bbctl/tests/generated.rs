//! Man pages, completions and docs/cli.md are what the definitions say; `BLESS=1` writes them.

use std::fs;
use std::path::Path;

#[test]
fn generated_files_are_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let bless = std::env::var_os("BLESS").is_some();
    let mut stale = Vec::new();
    for (path, text) in bitbuilder_bbctl::generated() {
        let full = root.join(&path);
        if fs::read_to_string(&full).is_ok_and(|there| there == text) {
            continue;
        }
        if bless {
            fs::create_dir_all(full.parent().unwrap()).unwrap();
            fs::write(&full, text).unwrap();
        } else {
            stale.push(path);
        }
    }
    assert!(stale.is_empty(), "run this test with BLESS=1: {stale:?}");
}

#[test]
fn every_command_has_examples() {
    fn check(command: &clap::Command, line: &str) {
        let line = format!("{line} {}", command.get_name());
        let help = command.clone().render_long_help().to_string();
        assert!(help.contains("Example"), "`{line} --help` has no examples");
        for inner in command.get_subcommands() {
            check(inner, &line);
        }
    }
    let command = bitbuilder_bbctl::command();
    command.clone().debug_assert();
    check(&command, "");
}

#[test]
fn every_kind_of_notification_is_documented() {
    use bitbuilder_core::notify::Kind;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/notifications.md");
    let page = fs::read_to_string(path).unwrap();
    for kind in Kind::ALL {
        let priority = serde_json::to_value(kind.priority()).unwrap();
        let line = format!(
            "| `{}` | {} | `{}` | {} |\n",
            kind.word(),
            priority.as_str().unwrap(),
            kind.message_id(),
            kind.meaning()
        );
        assert!(page.contains(&line), "docs/notifications.md lacks {line}");
    }
}
