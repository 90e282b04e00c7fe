//! What is written reads back as the same values, and nothing else.

use super::reader::{read, specifiers, variables, words};
use super::*;
use proptest::prelude::*;

/// Text as hostile as a document can hold: quotes, specifiers, line breaks, control characters, any script.
fn hostile() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop_oneof![
            any::<char>(),
            prop::sample::select(vec![
                '%', '$', '"', '\'', '\\', '\n', '\r', '\t', ' ', ';', '#', '[', ']', '=', '-',
                '@', '{', '}', '\u{85}', '\u{2028}', '\u{7f}', '\u{0}',
            ]),
        ],
        0..24,
    )
    .prop_map(|chars| chars.into_iter().collect())
}

proptest! {
    #[test]
    fn arguments_read_back(arguments in prop::collection::vec(hostile(), 0..6)) {
        let mut command = vec!["/usr/bin/true".to_owned()];
        command.extend(arguments);
        let mut file = UnitFile::new("");
        file.section("Service").command("ExecStart", "-", &command);
        if command.iter().any(|argument| argument.contains('\0')) {
            prop_assert!(file.finish().is_err());
            return Ok(());
        }
        let found = read(&file.finish().unwrap());
        prop_assert_eq!(found.len(), 1);
        prop_assert_eq!((found[0].0.as_str(), found[0].1.as_str()), ("Service", "ExecStart"));
        let line = found[0].2.strip_prefix('-').unwrap();
        let back: Vec<String> = words(line).iter().map(|word| variables(&specifiers(word))).collect();
        prop_assert_eq!(back, command);
    }

    #[test]
    fn environment_reads_back(value in hostile()) {
        let mut file = UnitFile::new("");
        file.section("Service").environment("NAME", &value);
        if value.contains('\0') {
            prop_assert!(file.finish().is_err());
            return Ok(());
        }
        let found = read(&file.finish().unwrap());
        prop_assert_eq!(found.len(), 1);
        let back: Vec<String> = words(&found[0].2).iter().map(|word| specifiers(word)).collect();
        prop_assert_eq!(back, vec![format!("NAME={value}")]);
    }

    #[test]
    fn plain_values_read_back_or_are_refused(value in hostile()) {
        let mut file = UnitFile::new(&value);
        file.section("Unit").text("Description", &value).verbatim("X-BitBuilder-File", &value);
        match file.finish() {
            Ok(text) => {
                let found = read(&text);
                prop_assert_eq!(found.len(), 2);
                prop_assert_eq!(specifiers(&found[0].2), value.clone());
                prop_assert_eq!(&found[1].2, &value);
            }
            Err(_) => prop_assert!(
                value.chars().any(char::is_control) || value.trim() != value || value.ends_with('\\')
            ),
        }
    }

    #[test]
    fn no_comment_begins_a_line_of_its_own(comment in hostile()) {
        let mut file = UnitFile::new(&comment);
        file.section("Unit").verbatim("A", "b");
        prop_assert_eq!(read(&file.finish().unwrap()), vec![("Unit".into(), "A".into(), "b".into())]);
    }

    #[test]
    fn escaped_names_are_unit_names(text in "\\PC{1,20}") {
        let name = escape_unit_name(&text);
        prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b":-_.\\".contains(&b)));
    }
}

#[test]
fn sections_and_repeated_sections() {
    let mut file = UnitFile::new("By BitBuilder.");
    file.section("Network").verbatim("DHCPServer", "yes");
    for n in [2, 3] {
        file.section("DHCPServerStaticLease")
            .verbatim("Address", format!("10.0.0.{n}"));
    }
    assert_eq!(
        file.finish().unwrap(),
        "# By BitBuilder.\n\n[Network]\nDHCPServer=yes\n\n[DHCPServerStaticLease]\nAddress=10.0.0.2\n\n\
         [DHCPServerStaticLease]\nAddress=10.0.0.3\n"
    );
}

#[test]
fn units_keep_their_backslashes_and_refuse_specifiers() {
    let mut file = UnitFile::new("");
    file.section("Unit")
        .units("Requires", &["tenant-my\\x2dshop.slice", "a@b.service"]);
    assert_eq!(
        file.finish().unwrap(),
        "[Unit]\nRequires=tenant-my\\x2dshop.slice a@b.service\n"
    );
    file.units("Requires", &["a@%i.service"]);
    assert_eq!(file.finish().unwrap_err().key, "Requires");
}

#[test]
fn the_first_refusal_is_reported() {
    let mut file = UnitFile::new("");
    file.section("Unit")
        .text("A", "one\ntwo")
        .text("B", "three\nfour");
    assert_eq!(file.finish().unwrap_err().key, "A");
}

#[test]
fn a_program_is_never_expanded() {
    for program in ["", "-true", "/bin/%i", "/bin/$HOME", "two words"] {
        let mut file = UnitFile::new("");
        file.section("Service").command("ExecStart", "", &[program]);
        assert!(file.finish().is_err(), "{program:?}");
    }
}
