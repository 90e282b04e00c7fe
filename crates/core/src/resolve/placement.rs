//! Whether a tenant belongs on this host.

use super::Input;
use crate::finding::Finding;

/// Whether every placement expression of the registry matches a tag of this host; a note otherwise.
pub(super) fn is_here(input: &Input<'_>, findings: &mut Vec<Finding>) -> bool {
    let tags = &input.host.tags;
    let unmet = input
        .registration
        .placement
        .iter()
        .find(|expression| !tags.iter().any(|tag| matches(expression, tag)));
    if let Some(expression) = unmet {
        let message =
            format!("this tenant does not run here: no machine tag matches `{expression}`");
        let origin = input.registration.origin.clone();
        findings.push(Finding::note(origin, "placed-elsewhere", message));
    }
    unmet.is_none()
}

/// Shell globbing with `*` and `?`, in time of the product of both lengths.
fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                // The last star takes one more character.
                let Some((at, taken)) = star else {
                    return false;
                };
                star = Some((at, taken + 1));
                p = at + 1;
                t = taken + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn globs() {
        let cases = [
            ("zone=eu*", "zone=eu-1", true),
            ("zone=eu*", "zone=us-1", false),
            ("zone=*-1", "zone=eu-1-1", true),
            ("zone=e?", "zone=eu", true),
            ("zone=e?", "zone=e", false),
            ("*", "", true),
            ("", "a", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
        }
    }
}
