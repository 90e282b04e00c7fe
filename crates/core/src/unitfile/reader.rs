//! An independent reader of the syntax for the tests: written from systemd.syntax(7), not from the writer.

/// Assignments of a file, in order: section, key, value.
pub(super) fn read(text: &str) -> Vec<(String, String, String)> {
    let mut section = String::new();
    let mut found = Vec::new();
    let mut pending = String::new();
    for line in text.split('\n') {
        if pending.is_empty() && (line.trim_start().starts_with(['#', ';'])) {
            continue;
        }
        if let Some(head) = line.strip_suffix('\\') {
            pending.push_str(head);
            pending.push(' ');
            continue;
        }
        let line = std::mem::take(&mut pending) + line;
        let line = line.trim();
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            section = name.to_owned();
        } else if let Some((key, value)) = line.split_once('=') {
            found.push((
                section.clone(),
                key.trim().to_owned(),
                value.trim().to_owned(),
            ));
        } else {
            assert!(line.is_empty(), "not an assignment: {line:?}");
        }
    }
    found
}

/// Splits and unquotes words, resolving C escapes.
pub(super) fn words(value: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut chars = value.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.peek().is_none() {
            return words;
        }
        let mut word = String::new();
        let mut quote = None;
        while let Some(c) = chars.next() {
            match (quote, c) {
                (None, c) if c.is_whitespace() => break,
                (None, '"' | '\'') => quote = Some(c),
                (Some(q), c) if c == q => quote = None,
                (_, '\\') => word.push(escape(&mut chars)),
                (_, c) => word.push(c),
            }
        }
        assert_eq!(quote, None, "unbalanced quotes: {value:?}");
        words.push(word);
    }
}

fn escape(chars: &mut impl Iterator<Item = char>) -> char {
    match chars.next() {
        Some('n') => '\n',
        Some('t') => '\t',
        Some('u') => {
            let digits: String = chars.by_ref().take(4).collect();
            char::from_u32(u32::from_str_radix(&digits, 16).unwrap()).unwrap()
        }
        Some(c @ ('"' | '\'' | '\\')) => c,
        other => panic!("unknown escape {other:?}"),
    }
}

/// Expands specifiers; only `%%` is allowed to occur.
pub(super) fn specifiers(text: &str) -> String {
    doubled(text, '%')
}

/// Expands variables of a command line; only `$$` is allowed to occur.
pub(super) fn variables(text: &str) -> String {
    doubled(text, '$')
}

fn doubled(text: &str, mark: char) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == mark {
            assert_eq!(chars.next(), Some(mark), "expanded in {text:?}");
        }
        out.push(c);
    }
    out
}
