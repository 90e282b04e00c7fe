//! Deliveries that were accepted: marks of the last day, at most so many. Only who has a secret can add one.

/// Marks.
const NUMBER: usize = 4096;
/// Seconds that they are kept.
const AGE: u64 = 24 * 60 * 60;
/// Deliveries for one target within [`MINUTE`]; the rest is refused.
pub const RATE: usize = 30;
const MINUTE: u64 = 60;

/// Whether a delivery is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is; this is what to remember from now on.
    New(String),
    /// It was accepted before.
    Seen,
    /// Too many were accepted for its target within a minute.
    TooMany,
}

/// One delivery: when, for whom, and its mark.
struct Entry<'t> {
    time: u64,
    target: &'t str,
    mark: &'t str,
}

impl<'t> Entry<'t> {
    fn parse(line: &'t str) -> Option<Self> {
        let mut words = line.split(' ');
        Some(Self {
            time: words.next()?.parse().ok()?,
            target: words.next()?,
            mark: words.next()?,
        })
    }
}

/// Judges the delivery `mark` for `target` at `now` (seconds since the epoch) by what is remembered; lines that are
/// damaged are forgotten. Neither `target` nor `mark` has a space in it.
pub fn judge(remembered: &str, target: &str, mark: &str, now: u64) -> Verdict {
    let entries = remembered.lines().filter_map(Entry::parse);
    let mut entries: Vec<Entry<'_>> = entries
        .filter(|entry| now.abs_diff(entry.time) <= AGE)
        .collect();
    if entries.iter().any(|entry| entry.mark == mark) {
        return Verdict::Seen;
    }
    let recent = entries
        .iter()
        .filter(|entry| entry.target == target && now.abs_diff(entry.time) < MINUTE);
    if recent.count() >= RATE {
        return Verdict::TooMany;
    }
    entries.push(Entry {
        time: now,
        target,
        mark,
    });
    let excess = entries.len().saturating_sub(NUMBER);
    let kept = entries.iter().skip(excess);
    Verdict::New(
        kept.map(|entry| format!("{} {} {}\n", entry.time, entry.target, entry.mark))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: u64 = 1_800_000_000;

    fn new(remembered: &str, target: &str, mark: &str, now: u64) -> String {
        match judge(remembered, target, mark, now) {
            Verdict::New(text) => text,
            other => panic!("{mark}: {other:?}"),
        }
    }

    #[test]
    fn the_window_is_a_day_whichever_way_the_clock_goes() {
        let text = new("", "shop", "a", NOW);
        for off in [0, 1, AGE] {
            assert_eq!(judge(&text, "shop", "a", NOW + off), Verdict::Seen);
            assert_eq!(judge(&text, "blog", "a", NOW - off), Verdict::Seen);
        }
        assert_eq!(new(&text, "shop", "a", NOW + AGE + 1).lines().count(), 1);
    }

    #[test]
    fn a_minute_takes_so_many_of_one_target_and_others_are_not_concerned() {
        let mut text = String::new();
        for n in 0..RATE {
            text = new(&text, "shop", &n.to_string(), NOW);
        }
        assert_eq!(judge(&text, "shop", "more", NOW + 59), Verdict::TooMany);
        assert_eq!(judge(&text, "shop", "0", NOW), Verdict::Seen);
        new(&text, "blog", "more", NOW);
        new(&text, "shop", "more", NOW + 60);
    }

    #[test]
    fn no_more_is_kept_than_fits() {
        let old: String = (0..NUMBER)
            .map(|n| format!("{} t{n} m{n}\n", NOW - 100))
            .collect();
        let text = new(&old, "shop", "a", NOW);
        assert_eq!(text.lines().count(), NUMBER);
        assert!(text.ends_with(&format!("{NOW} shop a\n")) && !text.contains(" m0\n"));
    }

    proptest! {
        #[test]
        fn what_was_accepted_is_seen_whatever_the_file_held(remembered: String, mark in "[0-9a-f]{8}", later in 0..AGE) {
            if let Verdict::New(text) = judge(&remembered, "shop", &mark, NOW) {
                prop_assert_eq!(judge(&text, "shop", &mark, NOW + later), Verdict::Seen);
            }
        }
    }
}
