//! "Did you mean": the nearest of the known words.

/// Candidates that are compared; a tenant can declare any number of names.
const MOST: usize = 1000;

/// The candidate that `word` most likely stands for.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // A long word is no typo of a short one, and the distance of hostile input costs its length squared.
    if word.is_empty() || word.len() > 64 {
        return None;
    }
    let folded = fold(word);
    candidates
        .into_iter()
        .take(MOST)
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= 8)
        .map(|candidate| (distance(&folded, &fold(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= allowed(&folded, candidate))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `did you mean `x`?`, or else the list of what is possible when it is short.
pub(crate) fn hint<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<String> {
    if let Some(candidate) = nearest(word, candidates.clone()) {
        return Some(format!("did you mean `{candidate}`?"));
    }
    list(candidates).map(|known| format!("write one of {known}"))
}

/// The candidates as text, at most sixteen of them; `None` when there are none.
pub(crate) fn list<'a>(candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut known: Vec<String> = candidates
        .into_iter()
        .take(17)
        .map(|candidate| format!("`{candidate}`"))
        .collect();
    if known.len() > 16 {
        known.truncate(16);
        known.push("...".into());
    }
    (!known.is_empty()).then(|| known.join(", "))
}

fn fold(word: &str) -> String {
    word.chars()
        .filter(|c| !matches!(c, '_' | '-' | ' '))
        .flat_map(char::to_lowercase)
        .collect()
}

fn distance(word: &str, candidate: &str) -> usize {
    if !word.is_empty() && (candidate == format!("{word}s") || word == format!("{candidate}s")) {
        return 0;
    }
    strsim::osa_distance(word, candidate)
}

fn allowed(word: &str, candidate: &str) -> usize {
    match word.len().min(candidate.len()) {
        0 => 0,
        1..=3 => 1,
        4..=7 => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_nearest() {
        let known = ["memory", "cpu", "startPeriod", "image"];
        assert_eq!(nearest("memroy", known), Some("memory"));
        assert_eq!(nearest("start_period", known), Some("startPeriod"));
        assert_eq!(nearest("images", known), Some("image"));
        assert_eq!(nearest("kernel", known), None);
        assert_eq!(nearest(&"m".repeat(100_000), known), None);
    }

    #[test]
    fn lists_what_is_possible() {
        assert_eq!(
            hint("zzzzzz", ["a", "b"]).as_deref(),
            Some("write one of `a`, `b`")
        );
        assert_eq!(hint("x", []), None);
    }
}
