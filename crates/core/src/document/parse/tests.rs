use super::*;
use proptest::prelude::*;

fn read(path: &str, text: &str) -> (Option<Node>, Vec<Problem>) {
    let mut problems = Vec::new();
    let node = parse(
        &Source::new(path, text),
        &mut MAX_VALUES.clone(),
        &mut problems,
    );
    (node, problems)
}

fn rules(path: &str, text: &str) -> Vec<&'static str> {
    read(path, text)
        .1
        .iter()
        .map(|problem| problem.rule)
        .collect()
}

fn value(node: &Node) -> serde_json::Value {
    match &node.kind {
        Kind::Null => serde_json::Value::Null,
        Kind::Bool(flag) => (*flag).into(),
        Kind::Number(text) => serde_json::from_str(text).unwrap(),
        Kind::Text(text) => text.clone().into(),
        Kind::List(items) => items.iter().map(value).collect(),
        Kind::Map(entries) => entries
            .iter()
            .map(|entry| (entry.key.clone(), value(&entry.value)))
            .collect(),
    }
}

fn spans<'t>(node: &Node, text: &'t str) -> Vec<&'t str> {
    let own = &text[node.span.start..node.span.end];
    let mut all = vec![own];
    match &node.kind {
        Kind::List(items) => all.extend(items.iter().flat_map(|item| spans(item, text))),
        Kind::Map(entries) => {
            for entry in entries {
                all.push(&text[entry.key_span.start..entry.key_span.end]);
                all.extend(spans(&entry.value, text));
            }
        }
        _ => {}
    }
    all
}

#[test]
fn every_node_knows_its_text() {
    let text = "a: [1, 'x']\nb:\n  - c: no   # comment\n    d: {e: ä}\nf:\n";
    let (node, problems) = read("f.yaml", text);
    assert_eq!(problems, []);
    let found = spans(&node.unwrap(), text);
    assert_eq!(
        found[1..],
        [
            "a",
            "[1, 'x']",
            "1",
            "'x'",
            "b",
            "- c: no   # comment\n    d: {e: ä}",
            "c: no   # comment\n    d: {e: ä}",
            "c",
            "no",
            "d",
            "{e: ä}",
            "e",
            "ä",
            "f",
            ""
        ]
    );
}

#[test]
fn what_yaml_may_not_do() {
    for (text, rule) in [
        ("a: &x 1\nb: *x\n", "yaml-anchor"),
        ("a: *x\n", "yaml-anchor"),
        ("a: !!str 1\n", "yaml-tag"),
        ("a: 1\n---\nb: 2\n", "yaml-documents"),
        ("%YAML 1.2\n---\na: 1\n", "yaml-syntax"),
        ("a: 1\na: 2\n", "duplicate-key"),
        ("{a: 1, \"a\": 2}\n", "duplicate-key"),
        ("? [a]\n: 1\n", "key-type"),
        ("a: [1\n", "yaml-syntax"),
        ("a:\n\t- b\n", "yaml-syntax"),
        ("\u{feff}a: 1\n", "byte-order-mark"),
        ("a: \"\u{1}\"\n", "yaml-syntax"),
    ] {
        assert_eq!(rules("f.yaml", text), [rule], "{text:?}");
    }
}

#[test]
fn what_json_may_not_do() {
    for (text, rule) in [
        ("{\"a\": 1,}", "json-syntax"),
        ("// x\n{}", "json-syntax"),
        ("{'a': 1}", "json-syntax"),
        ("{a: 1}", "json-syntax"),
        ("{\"a\": 1, \"a\": 2}", "duplicate-key"),
        ("{\"a\": 01}", "json-syntax"),
        ("", "json-syntax"),
        ("{} {}", "json-syntax"),
    ] {
        assert_eq!(rules("f.json", text), [rule], "{text:?}");
    }
    assert_eq!(
        rules("f.json", "{\n\t\"a\":\t1,\r\n\t\"b\": [ ]\n}\n"),
        [""; 0]
    );
}

#[test]
fn bombs_are_refused() {
    let deep = "[".repeat(100_000);
    assert_eq!(rules("f.yaml", &deep), ["too-deep"]);
    assert_eq!(rules("f.json", &deep), ["json-syntax"]);
    let closed = format!("{deep}{}", "]".repeat(100_000));
    assert_eq!(rules("f.json", &closed), ["too-deep"]);
    assert_eq!(rules("f.yaml", &"{a: ".repeat(100_000)), ["too-deep"]);
    assert_eq!(rules("f.yaml", &"- ".repeat(100_000)), ["too-deep"]);
    let block: String = (0..1000)
        .map(|n| format!("{}a:\n", " ".repeat(n)))
        .collect();
    assert_eq!(rules("f.yaml", &block), ["too-deep"]);
    let seventy = format!("{}{}", "[".repeat(70), "]".repeat(70));
    assert_eq!(rules("f.json", &seventy), ["too-deep"]);
    assert_eq!(
        rules("f.yaml", &format!("[{}]", "a,".repeat(300_000))),
        ["too-many-values"]
    );
    let laughs = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n";
    assert_eq!(rules("f.yaml", laughs), ["yaml-anchor"]);
    let scalar = format!("a: {}\n", "x".repeat(1 << 20));
    assert_eq!(rules("f.yaml", &scalar), [""; 0]);
}

#[test]
fn an_empty_document_is_null() {
    for text in ["", "# only this\n", "---\n"] {
        assert_eq!(read("f.yaml", text).0.unwrap().kind, Kind::Null, "{text:?}");
    }
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i32>().prop_map(Into::into),
        "[ -~äß中\u{1F600}\n\t\"\\\\]{0,12}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map("[a-zA-Z0-9 :#'{}\\[\\],&*!|>%@`-]{0,8}", inner, 0..6)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,200}", yaml in "[-a:{}\\[\\],&*!|>'\"% \n\t#?]{0,80}") {
        for text in [&text, &yaml] {
            for path in ["f.yaml", "f.json"] {
                let source = Source::new(path, text);
                let mut problems = Vec::new();
                let node = parse(&source, &mut MAX_VALUES.clone(), &mut problems);
                prop_assert!(node.is_some() || !problems.is_empty());
                for problem in problems {
                    let (origin, length) = source.place(problem.span);
                    prop_assert!(origin.line >= 1 && origin.column >= 1 && length >= 1);
                }
            }
        }
    }

    #[test]
    fn json_means_the_same_here_as_in_serde_json(expected in json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&expected) } else { serde_json::to_string(&expected) }.unwrap();
        let (node, problems) = read("f.json", &text);
        prop_assert!(problems.is_empty(), "{problems:?} in {text}");
        prop_assert_eq!(value(&node.unwrap()), expected);
    }
}
