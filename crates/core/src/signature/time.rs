//! Times as ssh-keygen(1) writes them in lists of signers. Without a time zone they are UTC here, so that every host
//! reads the same; ssh-keygen takes the zone of the machine.

const DAY: i64 = 86_400;

/// Seconds since the epoch of `YYYYMMDD`, `YYYYMMDDHHMM` or `YYYYMMDDHHMMSS`, each also with `Z`.
pub(super) fn parse(text: &str) -> Option<i64> {
    let digits = text.strip_suffix('Z').unwrap_or(text);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) || !matches!(digits.len(), 8 | 12 | 14) {
        return None;
    }
    let part = |from: usize, to: usize| digits.get(from..to).map_or(Some(0), |d| d.parse().ok());
    let (year, month, day): (i64, i64, i64) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second): (i64, i64, i64) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    let days = days(year, month, day);
    // A day that does not exist is another one when it is counted back.
    let exists = year >= 1970 && date(days) == (year, month, day);
    (exists && hour < 24 && minute < 60 && second < 60)
        .then(|| days * DAY + hour * 3600 + minute * 60 + second)
}

/// `2026-01-05 09:11:00 UTC`.
pub fn text(seconds: i64) -> String {
    let (year, month, day) = date(seconds.div_euclid(DAY));
    let second = seconds.rem_euclid(DAY);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Days since the epoch of a date of the Gregorian calendar, counted in eras of 400 years that begin in March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date of a day since the epoch.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written() {
        for (written, seconds) in [
            ("19700101", 0),
            ("20000229Z", 951_782_400),
            ("202601050911", 1_767_604_260),
            ("20260105091100Z", 1_767_604_260),
            ("99991231235959", 253_402_300_799),
        ] {
            assert_eq!(parse(written), Some(seconds), "{written}");
        }
        assert_eq!(text(1_767_604_260), "2026-01-05 09:11:00 UTC");
        assert_eq!(text(951_782_400), "2000-02-29 00:00:00 UTC");
    }

    #[test]
    fn days_that_do_not_exist_are_refused() {
        for written in [
            "",
            "Z",
            "2026",
            "20260230",
            "20261301",
            "20260001",
            "20260100",
            "19691231",
            "2026010124",
            "202601012460",
            "20260101ZZ",
            "+2026010",
            "202601010a00",
            "２０２６０１０１",
        ] {
            assert_eq!(parse(written), None, "{written}");
        }
    }
}
