//! Unified diffs of two texts, as diff(1) `-u` writes them, without the header that names the files.

use std::fmt::Write as _;
use std::ops::Range;

/// Lines around a change that are shown.
const CONTEXT: usize = 3;
/// Most pairs of lines that are compared; beyond it the part that differs is replaced as a whole.
const PAIRS_MAX: usize = 4 << 20;

/// One line of an edit script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edit<'t> {
    Keep(&'t str),
    Remove(&'t str),
    Add(&'t str),
}

/// The hunks that turn `old` into `new`; empty when they are equal. Time and memory are bounded by the sizes of the texts
/// and a constant.
pub(super) fn unified(old: &str, new: &str) -> String {
    let (old, new) = (lines(old), lines(new));
    let script = script(&old, &new);
    let mut text = String::new();
    for hunk in hunks(&script) {
        write_hunk(&script, hunk, &mut text);
    }
    text
}

/// Lines with their ends: a missing last line break is a difference.
fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn script<'t>(old: &[&'t str], new: &[&'t str]) -> Vec<Edit<'t>> {
    let same = |(a, b): &(&&str, &&str)| a == b;
    let head = old.iter().zip(new).take_while(same).count();
    let rest = old.len().min(new.len()) - head;
    let backwards = old.iter().rev().zip(new.iter().rev());
    let tail = backwards.take(rest).take_while(same).count();
    let (old_end, new_end) = (old.len() - tail, new.len() - tail);
    let mut script: Vec<Edit<'t>> = old[..head].iter().map(|line| Edit::Keep(line)).collect();
    middle(&old[head..old_end], &new[head..new_end], &mut script);
    script.extend(old[old_end..].iter().map(|line| Edit::Keep(line)));
    script
}

/// By a longest common subsequence.
fn middle<'t>(old: &[&'t str], new: &[&'t str], script: &mut Vec<Edit<'t>>) {
    let width = new.len() + 1;
    if old.len().saturating_mul(new.len()) > PAIRS_MAX {
        script.extend(old.iter().map(|line| Edit::Remove(line)));
        script.extend(new.iter().map(|line| Edit::Add(line)));
        return;
    }
    // longest[i * width + j]: length of the longest common subsequence of old[i..] and new[j..].
    let mut longest = vec![0u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            longest[i * width + j] = if old[i] == new[j] {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            script.push(Edit::Keep(old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len()
            || i < old.len() && longest[(i + 1) * width + j] >= longest[i * width + j + 1]
        {
            script.push(Edit::Remove(old[i]));
            i += 1;
        } else {
            script.push(Edit::Add(new[j]));
            j += 1;
        }
    }
}

/// Ranges of the script that are shown together.
fn hunks(script: &[Edit<'_>]) -> Vec<Range<usize>> {
    let mut hunks: Vec<Range<usize>> = Vec::new();
    for (index, edit) in script.iter().enumerate() {
        if matches!(edit, Edit::Keep(_)) {
            continue;
        }
        let start = index.saturating_sub(CONTEXT);
        let end = (index + 1 + CONTEXT).min(script.len());
        match hunks.last_mut() {
            Some(last) if start <= last.end => last.end = end,
            _ => hunks.push(start..end),
        }
    }
    hunks
}

fn write_hunk(script: &[Edit<'_>], hunk: Range<usize>, text: &mut String) {
    let (old_before, new_before) = count(&script[..hunk.start]);
    let (old, new) = count(&script[hunk.clone()]);
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "@@ -{} +{} @@",
        place(old_before, old),
        place(new_before, new)
    );
    for edit in &script[hunk] {
        let (mark, line) = match edit {
            Edit::Keep(line) => (' ', line),
            Edit::Remove(line) => ('-', line),
            Edit::Add(line) => ('+', line),
        };
        text.push(mark);
        text.push_str(line);
        if !line.ends_with('\n') {
            text.push_str("\n\\ No newline at end of file\n");
        }
    }
}

/// Lines of the old and of the new text in `script`.
fn count(script: &[Edit<'_>]) -> (usize, usize) {
    script.iter().fold((0, 0), |(old, new), edit| match edit {
        Edit::Keep(_) => (old + 1, new + 1),
        Edit::Remove(_) => (old + 1, new),
        Edit::Add(_) => (old, new + 1),
    })
}

/// `first,count` of a side; an empty side names the line before it.
fn place(before: usize, count: usize) -> String {
    match count {
        0 => format!("{before},0"),
        1 => format!("{}", before + 1),
        _ => format!("{},{count}", before + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Applies a diff, written from diff's manual and not from the writer.
    fn patch(old: &str, diff: &str) -> String {
        let old: Vec<&str> = old.split_inclusive('\n').collect();
        let (mut new, mut at) = (String::new(), 0);
        let mut lines = diff.split_inclusive('\n').peekable();
        while let Some(line) = lines.next() {
            if let Some(head) = line.strip_prefix("@@ -") {
                let side = head.split(' ').next().unwrap();
                let (first, count) = side.split_once(',').unwrap_or((side, "1"));
                let first: usize = first.parse().unwrap();
                let start = if count == "0" { first } else { first - 1 };
                new.extend(old[at..start].iter().copied());
                at = start;
                continue;
            }
            let mut content = line[1..].to_owned();
            if lines.peek().is_some_and(|next| next.starts_with('\\')) {
                content.pop();
                lines.next();
            }
            match line.as_bytes()[0] {
                b'+' => new.push_str(&content),
                mark => {
                    assert_eq!(old[at], content);
                    at += 1;
                    if mark == b' ' {
                        new.push_str(&content);
                    }
                }
            }
        }
        new.extend(old[at..].iter().copied());
        new
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_diff_leads_from_old_to_new(old in "([abc]?\n){0,20}[ab]?", new in "([abc]?\n){0,20}[ab]?") {
            let diff = unified(&old, &new);
            prop_assert_eq!(diff.is_empty(), old == new);
            prop_assert_eq!(patch(&old, &diff), new);
        }
    }

    #[test]
    fn as_diff_writes_it() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12";
        let new = "1\n2\n3\n4\nfive\n6\n7\n8\n9\n10\n11\n12\n13\n";
        let expected = "@@ -2,11 +2,12 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n 9\n 10\n 11\n-12\n\\ No newline at end of file\n+12\n+13\n";
        assert_eq!(unified(old, new), expected);
        assert_eq!(unified("", "a\n"), "@@ -0,0 +1 @@\n+a\n");
    }

    #[test]
    fn what_is_too_large_is_replaced() {
        let old: String = (0..5000).map(|n| format!("a{n}\n")).collect();
        let new: String = (0..5000).map(|n| format!("b{n}\n")).collect();
        let diff = unified(&old, &new);
        assert!(diff.starts_with("@@ -1,5000 +1,5000 @@\n-a0\n"));
        assert_eq!(patch(&old, &diff), new);
    }
}
