//! Times, in UTC: the same text on every host.

use bitbuilder_core::document::duration;
use std::str::FromStr;

/// `2026-01-31 23:59:59`, of seconds since the epoch.
pub(crate) fn utc(seconds: u64) -> String {
    let (year, month, day) = date(seconds / 86_400);
    let second = seconds % 86_400;
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// Year, month and day, of days since the epoch: the proleptic Gregorian calendar, in eras of 400 years from 1 March.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

/// A moment that somebody wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// Seconds since the epoch.
    At(u64),
    /// So many seconds ago.
    Ago(u64),
}

impl Since {
    /// Seconds since the epoch.
    pub(crate) fn time(self, now: u64) -> u64 {
        match self {
            Self::At(time) => time,
            Self::Ago(seconds) => now.saturating_sub(seconds),
        }
    }
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let moment = moment(text).map(Self::At);
        let ago = || duration(text).map(|length| Self::Ago(length.0 / 1000)).ok();
        moment.or_else(ago).ok_or_else(|| {
            "a time such as `2026-01-31`, `2026-01-31 23:59:59` or `7d` is expected".to_owned()
        })
    }
}

/// `2026-01-31`, with or without ` 23:59` or ` 23:59:59`.
fn moment(text: &str) -> Option<u64> {
    let (day, clock) = text.split_once([' ', 'T']).unwrap_or((text, "0:0"));
    let numbers = |text: &str, separator| {
        let parts = text.split(separator).map(|part| part.parse::<u64>().ok());
        parts.collect::<Option<Vec<u64>>>()
    };
    let [year, month, day_of_month] = numbers(day, '-')?[..] else {
        return None;
    };
    let (hour, minute, second) = match numbers(clock.trim_end_matches('Z'), ':')?[..] {
        [hour, minute] => (hour, minute, 0),
        [hour, minute, second] => (hour, minute, second),
        _ => return None,
    };
    if !((1970..10_000).contains(&year) && hour < 24 && minute < 60 && second < 60) {
        return None;
    }
    // Looked up in the calendar that prints it, which knows what is no date: leap years are guessed, up to the centuries.
    let first = ((year - 1970) * 365 + (year - 1969) / 4).saturating_sub(70);
    let days = (first..first + 470).find(|at| date(*at) == (year, month, day_of_month))?;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_spans_are_read() {
        let at = |text: &str| text.parse::<Since>();
        assert_eq!(at("1970-01-01"), Ok(Since::At(0)));
        assert_eq!(at("2026-01-01 00:00:01"), Ok(Since::At(1_767_225_601)));
        assert_eq!(at("2100-02-28T23:59:59Z"), Ok(Since::At(4_107_542_399)));
        assert_eq!(at("2000-02-29 00:00"), Ok(Since::At(951_782_400)));
        assert_eq!(at("9999-12-31"), Ok(Since::At(253_402_214_400)));
        assert_eq!(at("90min").unwrap().time(6000), 600);
        assert_eq!(at("7d").unwrap().time(0), 0);
        for text in [
            "",
            "yesterday",
            "2026-02-30",
            "2026-13-01",
            "2026-01-01 24:00",
            "1969-12-31",
        ] {
            assert!(at(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_400, "2000-02-29 00:00:00"),
            (951_868_799, "2000-02-29 23:59:59"),
            (1_767_225_600, "2026-01-01 00:00:00"),
            (4_107_542_399, "2100-02-28 23:59:59"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ] {
            assert_eq!(utc(seconds), text);
        }
    }
}
