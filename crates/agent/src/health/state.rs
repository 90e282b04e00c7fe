//! What a check means after those before it.

use bitbuilder_core::model::Millis;
use bitbuilder_host::atomic::FORMAT;
use bitbuilder_host::observe::health::CheckResult;

/// What a check found: what it said, for people.
pub type Outcome = Result<String, String>;

/// When a check was made.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// Invocation of the workload's unit.
    pub invocation: &'a str,
    /// What tells the check from another.
    pub check: &'a str,
    /// Seconds since the epoch.
    pub now: u64,
    /// Milliseconds of a clock that nobody sets: no step of the time of day ends the start period, or makes it longer.
    pub uptime: u64,
}

/// The result after `outcome`. One success makes a workload healthy; `retries` failures in a row, at least one, make it
/// unhealthy. In the start period failures do not count, unless it was healthy already.
pub fn next(
    previous: Option<&CheckResult>,
    moment: &Moment<'_>,
    (start_period, retries): (Millis, u64),
    outcome: &Outcome,
) -> CheckResult {
    let counts = |result: &&CheckResult| result.counts_for(moment.invocation, moment.check);
    // Another check of the same run does not begin it anew.
    let begun = previous.filter(|result| result.invocation == moment.invocation);
    let begun = begun.and_then(|result| result.begun);
    let begun = begun.unwrap_or(moment.uptime);
    let starting = moment.uptime < begun.saturating_add(start_period.0);
    let previous = previous.filter(counts);
    let known = previous.and_then(|result| result.healthy);
    let before = previous.map_or(0, |result| result.failures);
    let (healthy, failures) = match outcome {
        Ok(_) => (Some(true), 0),
        Err(_) if starting && known.is_none() => (None, 0),
        Err(_) => {
            let failures = before.saturating_add(1);
            let decided = failures >= retries.max(1);
            (if decided { Some(false) } else { known }, failures)
        }
    };
    let since = match previous {
        Some(result) if result.healthy == healthy => result.since,
        _ => moment.now,
    };
    let (Ok(message) | Err(message)) = outcome;
    CheckResult {
        format: FORMAT,
        invocation: moment.invocation.to_owned(),
        check: moment.check.to_owned(),
        healthy,
        failures,
        since,
        checked: moment.now,
        begun: Some(begun),
        message: message.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRIES: u64 = 3;

    /// Results of `outcomes` (`+` success, `-` failure, `s` failure in the start period) as `healthy failures since`.
    fn run(outcomes: &str) -> Vec<(Option<bool>, u64, u64)> {
        let mut previous: Option<CheckResult> = None;
        let mut results = Vec::new();
        let start = outcomes.rfind('s').map_or(0, |at| at as u64 + 1);
        for (now, outcome) in (100..).zip(outcomes.chars()) {
            let moment = Moment {
                invocation: "one",
                check: "it",
                now,
                uptime: now,
            };
            let outcome = match outcome {
                '+' => Ok("fine".to_owned()),
                _ => Err("bad".to_owned()),
            };
            let result = next(
                previous.as_ref(),
                &moment,
                (Millis(start), RETRIES),
                &outcome,
            );
            results.push((result.healthy, result.failures, result.since));
            previous = Some(result);
        }
        results
    }

    #[test]
    fn one_success_is_healthy_and_three_failures_are_not() {
        let (yes, no) = (Some(true), Some(false));
        assert_eq!(
            run("++--+---+"),
            [
                (yes, 0, 100),
                (yes, 0, 100),
                (yes, 1, 100),
                (yes, 2, 100),
                (yes, 0, 100),
                (yes, 1, 100),
                (yes, 2, 100),
                (no, 3, 107),
                (yes, 0, 108),
            ]
        );
    }

    #[test]
    fn nothing_is_decided_before_enough_failures() {
        assert_eq!(
            run("---"),
            [(None, 1, 100), (None, 2, 100), (Some(false), 3, 102)]
        );
    }

    #[test]
    fn failures_of_the_start_period_count_only_after_a_success() {
        assert_eq!(run("ssss-").last(), Some(&(None, 1, 100)));
        assert_eq!(run("s+sss").last(), Some(&(Some(false), 3, 104)));
    }

    #[test]
    fn no_step_of_the_clock_ends_the_start_period_or_prolongs_it() {
        for clock in [1, 4_000_000_000] {
            let moment = |uptime, now| Moment {
                invocation: "one",
                check: "it",
                now,
                uptime,
            };
            let bad: Outcome = Err("bad".into());
            let limits = (Millis(30_000), 1);
            let first = next(None, &moment(5_000, 1_800_000_000), limits, &bad);
            let during = next(Some(&first), &moment(34_999, clock), limits, &bad);
            assert_eq!((during.healthy, during.failures), (None, 0));
            let after = next(Some(&during), &moment(35_000, clock), limits, &bad);
            assert_eq!(after.healthy, Some(false));
            // Another check of the same run has no start period of its own.
            let other = Moment {
                check: "another",
                ..moment(35_000, clock)
            };
            assert_eq!(
                next(Some(&after), &other, limits, &bad).healthy,
                Some(false)
            );
        }
    }

    #[test]
    fn another_invocation_starts_anew() {
        let moment = |invocation| Moment {
            invocation,
            check: "it",
            now: 7,
            uptime: 7,
        };
        let bad: Outcome = Err("bad".into());
        let none = Millis(0);
        let first = next(None, &moment("one"), (none, 1), &bad);
        assert_eq!((first.healthy, first.failures), (Some(false), 1));
        let second = next(Some(&first), &moment("two"), (none, 2), &bad);
        assert_eq!((second.healthy, second.failures), (None, 1));
        let other = Moment {
            check: "another",
            ..moment("one")
        };
        assert_eq!(next(Some(&first), &other, (none, 2), &bad).failures, 1);
        // Without retries one failure is enough.
        assert_eq!(
            next(None, &moment("one"), (none, 0), &bad).healthy,
            Some(false)
        );
    }
}
