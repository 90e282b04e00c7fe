use super::*;
use crate::finding::Origin;

fn at(file: &str, line: u32, column: u32) -> Origin {
    Origin {
        file: file.into(),
        line,
        column,
    }
}

fn sample() -> (Vec<Finding>, BTreeMap<String, String>) {
    let text = "name: web\nimage: {tmplate: x}\n";
    let findings = vec![
        Finding::error(
            at("a.yaml", 2, 9),
            "unknown-key",
            "unknown key `image.tmplate`",
        )
        .length(7)
        .help("did you mean `template`?"),
        Finding::warning(
            Origin::file("b/c.txt"),
            "unknown-file",
            "nothing reads `b/c.txt`",
        ),
    ];
    (findings, BTreeMap::from([("a.yaml".into(), text.into())]))
}

#[test]
fn people_see_the_text_underlined() {
    let (findings, sources) = sample();
    assert_eq!(
        render_findings(&findings, &sources, false),
        "\
error[unknown-key]: unknown key `image.tmplate`
 --> a.yaml:2:9
  |
2 | image: {tmplate: x}
  |         ^^^^^^^
  |
  = help: did you mean `template`?

warning[unknown-file]: nothing reads `b/c.txt`
--> b/c.txt

1 error, 1 warning
"
    );
    assert!(render_findings(&findings, &sources, true).contains('\u{1b}'));
    assert_eq!(render_findings(&[], &sources, true), "");
}

#[test]
fn long_lines_are_cut_around_the_text() {
    let line = format!("{}bad{}", "x".repeat(500), "y".repeat(1 << 20));
    let finding = Finding::error(at("a.yaml", 1, 501), "r", "m").length(3);
    let sources = BTreeMap::from([("a.yaml".to_owned(), line)]);
    let text = render_findings(&[finding], &sources, false);
    assert!(text.contains("a.yaml:1:501"), "{text}");
    assert!(text.contains("xbady") && text.contains("^^^"), "{text}");
    assert!(text.len() < 1000, "{}", text.len());
}

#[test]
fn hostile_text_is_escaped_everywhere() {
    let evil = "\u{1b}]0;x\u{7}\u{202e}\u{9b}31m\r\n::error::";
    let finding = Finding::error(at(evil, 1, 1), "r", format!("m {evil}"))
        .help(evil)
        .length(3);
    let sources = BTreeMap::from([(evil.to_owned(), evil.to_owned())]);
    let texts = [
        render_findings(std::slice::from_ref(&finding), &sources, false),
        findings_github(std::slice::from_ref(&finding)),
        findings_json(std::slice::from_ref(&finding)).to_string(),
        findings_sarif(std::slice::from_ref(&finding)).to_string(),
    ];
    for text in &texts[..2] {
        assert!(
            !text
                .chars()
                .any(|c| c != '\n' && crate::document::is_unsafe(c)),
            "{text:?}"
        );
    }
    for text in &texts[2..] {
        assert!(!text.chars().any(|c| c.is_ascii_control()), "{text:?}");
    }
    assert_eq!(texts[1].lines().count(), 1, "{}", texts[1]);
}

#[test]
fn programs_get_the_place() {
    let (findings, _) = sample();
    let json = findings_json(&findings);
    assert_eq!((&json["errors"], &json["warnings"]), (&1.into(), &1.into()));
    assert_eq!(json["findings"][0]["column"], 9);
    assert_eq!(
        findings_github(&findings),
        "::error file=a.yaml,line=2,col=9,endColumn=16,title=unknown-key::unknown key `image.tmplate`%0Adid you mean `template`?\n\
         ::warning file=b/c.txt,title=unknown-file::nothing reads `b/c.txt`\n"
    );
    let sarif = findings_sarif(&findings);
    let region = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"];
    assert_eq!(
        (&region["startLine"], &region["endColumn"]),
        (&2.into(), &16.into())
    );
    assert_eq!(sarif["runs"][0]["results"][1]["level"], "warning");
}

proptest::proptest! {
    #[test]
    fn any_place_can_be_shown(text in "\\PC{0,40}(\r|\n|\t|\u{1b}|ä){0,4}\\PC{0,40}", line in 0u32..5, column in 0u32..60, length in 0u32..60) {
        let finding = Finding::error(at("f", line, column), "r", text.clone()).length(length as usize);
        let sources = BTreeMap::from([("f".to_owned(), text)]);
        let shown = render_findings(&[finding], &sources, false);
        proptest::prop_assert!(shown.starts_with("error"));
    }
}
