//! How long a remote that failed is left alone: twice as long after each failure in a row, up to a limit, a little less
//! at random so that a thousand hosts do not come back in the same second.

use crate::digest::sha256_parts;
use crate::model::Millis;

/// Longest time between two tries; the interval, where that is longer.
pub const LONGEST: Millis = Millis(60 * 60 * 1000);

/// Up to this part of the delay is taken off.
const SPREAD: u64 = 4;

/// Time from failure number `count` in a row (the first is 1) to the next try of a remote that is asked every
/// `interval`. The first failure costs nothing: the next regular pass asks again. `seed` tells remotes and hosts apart;
/// the same values give the same delay.
pub fn delay(seed: &str, count: u64, interval: Millis) -> Millis {
    let doublings = u32::try_from(count.saturating_sub(1)).unwrap_or(u32::MAX);
    let factor = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
    let whole = interval.0.saturating_mul(factor).min(longest(interval));
    let hash = sha256_parts([seed.as_bytes(), &count.to_le_bytes()]);
    let part = hash
        .get(..8)
        .and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let off = u128::from(whole / SPREAD) * u128::from(part.unwrap_or(0)) / u128::from(u32::MAX);
    // A part of `whole` fits.
    Millis(whole - u64::try_from(off).unwrap_or(0))
}

/// Whether a remote that shall be left alone until `retry_after` (seconds since the epoch) may be asked `now`. A time
/// that is further away than any delay is of a clock that was wrong.
pub fn is_due(now: u64, retry_after: Option<u64>, interval: Millis) -> bool {
    retry_after.is_none_or(|at| now >= at || at - now > longest(interval) / 1000)
}

fn longest(interval: Millis) -> u64 {
    LONGEST.0.max(interval.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INTERVAL: Millis = Millis(5 * 60 * 1000);

    #[test]
    fn it_doubles_up_to_the_limit() {
        let minutes: Vec<u64> = (1..=8)
            .map(|count| delay("shop", count, INTERVAL).0.div_ceil(60_000))
            .collect();
        for (minutes, whole) in minutes.iter().zip([5, 10, 20, 40, 60, 60, 60, 60]) {
            assert!(
                (whole * 3 / 4..=whole).contains(minutes),
                "{minutes} of {whole}"
            );
        }
    }

    #[test]
    fn the_next_regular_pass_asks_again_after_one_failure() {
        let retry_after = 1000 + delay("shop", 1, INTERVAL).0 / 1000;
        assert!(is_due(
            1000 + INTERVAL.0 / 1000,
            Some(retry_after),
            INTERVAL
        ));
    }

    #[test]
    fn a_clock_that_jumped_back_keeps_nobody_waiting() {
        assert!(!is_due(1000, Some(1001), INTERVAL));
        assert!(is_due(1000, Some(1000 + 3601), INTERVAL));
        assert!(is_due(1000, None, INTERVAL));
    }

    proptest! {
        #[test]
        fn it_is_within_bounds(seed: String, count: u64, interval in 1000..u64::MAX) {
            let interval = Millis(interval);
            let delay = delay(&seed, count, interval).0;
            prop_assert!(delay <= LONGEST.0.max(interval.0));
            prop_assert!(delay >= interval.0 / 4 * 3);
        }

        #[test]
        fn remotes_come_back_at_different_times(one in "[a-z]{8}", other in "[a-z]{8}") {
            prop_assume!(one != other);
            let delays = |seed: &str| (5..15).map(|count| delay(seed, count, INTERVAL)).collect::<Vec<_>>();
            prop_assert_ne!(delays(&one), delays(&other));
        }
    }
}
