//! Sizes, durations, processor time and plain numbers.

use super::{Scalar, Wrong};
use crate::document::decode::{Cx, Written};
use crate::document::node::{Kind, Node};
use crate::model::{Bytes, MilliCores, Millis};
use serde_json::{Value, json};

/// A number with a fraction as `thousandths`, so that no float rounds what a person wrote.
///
/// `None` when it is no decimal number, has more than three digits behind the point or is too large.
fn thousandths(text: &str) -> Option<u128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 3 {
        return None;
    }
    if text.ends_with('.') {
        return None;
    }
    let fraction: u128 = format!("{fraction:0<3}").parse().ok()?;
    whole
        .parse::<u64>()
        .ok()
        .map(|whole| u128::from(whole) * 1000 + fraction)
}

/// The number and the unit of `4G`.
fn split_unit(text: &str) -> (&str, &str) {
    let at = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    (number, unit.trim_start())
}

impl Scalar for Bytes {
    const EXPECTED: &'static str = "a size such as `512M` or `4G`";
    const RULE: &'static str = "size";

    fn parse(text: &str) -> Result<Self, Wrong> {
        let (number, unit) = split_unit(text);
        let shift = match unit {
            "B" => 0,
            "K" => 10,
            "M" => 20,
            "G" => 30,
            "T" => 40,
            "P" => 50,
            _ => return Err(size_unit(text, number, unit)),
        };
        let Some(thousandths) = thousandths(number) else {
            return Err(Wrong::new(format!("`{text}` is not a size"))
                .help("write a number and a unit, as in `512M`, `4G` or `1.5T`"));
        };
        // At most 2^64 thousand, shifted by 50: below 2^128.
        let bytes = (thousandths << shift) / 1000;
        match u64::try_from(bytes) {
            Ok(0) => Err(Wrong::new("a size of nothing is not possible")
                .help("write at least `1M`, or remove the key for no limit of its own")),
            Ok(bytes) if bytes <= i64::MAX.unsigned_abs() => Ok(Self(bytes)),
            _ => {
                Err(Wrong::new(format!("`{text}` is too large")).help("a size is less than 8192P"))
            }
        }
    }

    fn schema() -> Value {
        json!({
            "type": "string",
            "pattern": "^[0-9]+(\\.[0-9]{1,3})? *[BKMGTP]$",
            "examples": ["512M", "4G", "1.5T"],
        })
    }

    fn number_help(number: &str) -> String {
        format!("add a unit: \"{number}M\" or \"{number}G\"")
    }
}

fn size_unit(text: &str, number: &str, unit: &str) -> Wrong {
    if number.is_empty() {
        return Wrong::new(format!("`{text}` is not a size"))
            .help("write a number and a unit, as in `512M`, `4G` or `1.5T`");
    }
    if unit.is_empty() {
        return Wrong::new(format!("`{text}` has no unit")).help(format!(
            "write `{number}M`, `{number}G` or `{number}B` for bytes"
        ));
    }
    let letter = unit.chars().next().unwrap_or('M').to_ascii_uppercase();
    let rest = unit.get(1..).unwrap_or("?").to_ascii_lowercase();
    let wrong = Wrong::new(format!("`{unit}` is not a unit of size"));
    match (letter, rest.as_str()) {
        ('B' | 'K' | 'M' | 'G' | 'T' | 'P', "" | "b" | "i" | "ib") => wrong.help(format!(
            "write `{number}{letter}` (units are powers of 1024)"
        )),
        _ => wrong.help("units are B, K, M, G, T and P, powers of 1024"),
    }
}

/// Prints a size so that reading it gives the same number: `4G`, `1536M`.
pub(crate) fn format_bytes(bytes: u64) -> String {
    for (shift, unit) in [(50, "P"), (40, "T"), (30, "G"), (20, "M"), (10, "K")] {
        if bytes >= 1 << shift && bytes.is_multiple_of(1 << shift) {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    format!("{bytes}B")
}

/// Units of systemd.time(7), in microseconds.
fn time_unit(unit: &str) -> Option<u64> {
    const SECOND: u64 = 1_000_000;
    Some(match unit {
        "usec" | "us" | "µs" | "μs" => 1,
        "msec" | "ms" => 1000,
        "seconds" | "second" | "sec" | "s" => SECOND,
        "minutes" | "minute" | "min" | "m" => 60 * SECOND,
        "hours" | "hour" | "hr" | "h" => 3600 * SECOND,
        "days" | "day" | "d" => 86_400 * SECOND,
        "weeks" | "week" | "w" => 7 * 86_400 * SECOND,
        "months" | "month" | "M" => 2_629_800 * SECOND,
        "years" | "year" | "y" => 31_557_600 * SECOND,
        _ => return None,
    })
}

impl Scalar for Millis {
    const EXPECTED: &'static str = "a duration such as `30s` or `5min`";
    const RULE: &'static str = "duration";

    fn parse(text: &str) -> Result<Self, Wrong> {
        const EXAMPLE: &str = "write it as systemd does: `30s`, `5min`, `1h 30min`";
        let mut rest = text.trim();
        let mut micros: u128 = 0;
        if rest.is_empty() {
            return Err(Wrong::new("the duration is empty").help(EXAMPLE));
        }
        while !rest.is_empty() {
            let (number, tail) = split_unit(rest);
            let Some(amount) = thousandths(number) else {
                return Err(Wrong::new(format!("`{text}` is not a duration")).help(EXAMPLE));
            };
            let end = tail
                .find(|c: char| c.is_ascii_digit() || c.is_whitespace())
                .unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(end);
            if unit.is_empty() {
                return Err(Wrong::new(format!("`{text}` has no unit"))
                    .help(format!("write `{number}s` or `{number}min`")));
            }
            let Some(unit) = time_unit(unit) else {
                return Err(Wrong::new(format!("`{unit}` is not a unit of time"))
                    .help("units are ms, s, min, h, d, w, month and y, as in `30s` or `5min`"));
            };
            micros = micros.saturating_add(amount * u128::from(unit));
            rest = tail.trim_start();
        }
        // `amount` counts thousandths, so this is thousandths of microseconds to milliseconds.
        let millis = micros / 1_000_000;
        if micros > 0 && millis == 0 {
            return Err(
                Wrong::new(format!("`{text}` is shorter than a millisecond"))
                    .help("write at least `1ms`"),
            );
        }
        match u64::try_from(millis) {
            Ok(millis) if millis <= 100 * 31_557_600_000 => Ok(Self(millis)),
            _ => {
                Err(Wrong::new(format!("`{text}` is too long"))
                    .help("a duration is at most 100 years"))
            }
        }
    }

    fn schema() -> Value {
        json!({
            "type": "string",
            "pattern": "^( *[0-9]+(\\.[0-9]{1,3})? *[A-Za-zµμ]+ *)+$",
            "examples": ["30s", "5min", "1h 30min"],
        })
    }

    fn number_help(number: &str) -> String {
        format!("add a unit: \"{number}s\" or \"{number}min\"")
    }
}

/// Prints a duration so that reading it gives the same number: `5min`, `1500ms`.
pub(crate) fn format_millis(millis: u64) -> String {
    for (unit, word) in [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "min"),
        (1000, "s"),
    ] {
        if millis >= unit && millis.is_multiple_of(unit) {
            return format!("{}{word}", millis / unit);
        }
    }
    format!("{millis}ms")
}

impl Written for MilliCores {
    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        const EXPECTED: &str = "a number of processor cores such as `2` or `0.5`";
        let text = match &node.kind {
            Kind::Number(text) => text,
            Kind::Text(text) => {
                let help = cpu_help(text);
                cx.wrong_type(node, EXPECTED, help);
                return None;
            }
            _ => {
                cx.wrong_type(node, EXPECTED, None);
                return None;
            }
        };
        match thousandths(text) {
            Some(cores) if (10..=8_192_000).contains(&cores) => u64::try_from(cores).ok().map(Self),
            _ => {
                let message = format!("`{}`: {text} is no usable number of cores", cx.key());
                cx.error_help(
                    node.span,
                    "cpu",
                    message,
                    "write 0.01 to 8192, with at most three digits behind the point".to_owned(),
                );
                None
            }
        }
    }

    fn schema() -> Value {
        json!({ "type": "number", "minimum": 0.01, "maximum": 8192, "examples": [2, 0.5] })
    }
}

fn cpu_help(text: &str) -> Option<String> {
    if thousandths(text).is_some() {
        return Some(format!("write {text}, without quotes"));
    }
    if let Some(percent) = text.strip_suffix('%').and_then(|n| n.parse::<u32>().ok()) {
        return Some(format!(
            "write {}, one core is 1",
            f64::from(percent) / 100.0
        ));
    }
    let milli = text.strip_suffix('m').and_then(|n| n.parse::<u32>().ok())?;
    Some(format!(
        "write {}, one core is 1",
        f64::from(milli) / 1000.0
    ))
}

/// A whole number within bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Int<const MIN: u64, const MAX: u64>(pub(crate) u64);

/// A port of TCP or UDP.
pub(crate) type Port = Int<1, 65535>;
/// A number of tasks, generations, failures.
pub(crate) type Count = Int<1, 4_194_304>;

impl Port {
    /// The port as the kernel counts them.
    pub(crate) fn port(self) -> u16 {
        u16::try_from(self.0).unwrap_or(u16::MAX)
    }
}

impl<const MIN: u64, const MAX: u64> Written for Int<MIN, MAX> {
    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let expected = format!("a whole number from {MIN} to {MAX}");
        let text = match &node.kind {
            Kind::Number(text) => text,
            Kind::Text(text) => {
                let help = text
                    .parse::<u64>()
                    .is_ok()
                    .then(|| format!("write {text}, without quotes"));
                cx.wrong_type(node, &expected, help);
                return None;
            }
            _ => {
                cx.wrong_type(node, &expected, None);
                return None;
            }
        };
        match whole(text) {
            Some(number) if (MIN..=MAX).contains(&number) => Some(Self(number)),
            _ => {
                let message = format!("`{}` must be {expected}, found {text}", cx.key());
                cx.error(node.span, "range", message);
                None
            }
        }
    }

    fn schema() -> Value {
        json!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }
}

/// A decimal number without sign or leading zero: `010` is 8 in some YAML readers and 10 in others.
fn whole(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes() {
        assert_eq!(Bytes::parse("4G"), Ok(Bytes(4 << 30)));
        assert_eq!(Bytes::parse("1.5T"), Ok(Bytes(3 << 39)));
        assert_eq!(Bytes::parse("512 M"), Ok(Bytes(512 << 20)));
        for (text, help) in [
            ("4Gi", "write `4G` (units are powers of 1024)"),
            ("4gb", "write `4G` (units are powers of 1024)"),
            ("4g", "write `4G` (units are powers of 1024)"),
            ("512", "write `512M`, `512G` or `512B` for bytes"),
            ("4X", "units are B, K, M, G, T and P, powers of 1024"),
            (
                "0G",
                "write at least `1M`, or remove the key for no limit of its own",
            ),
            ("99999P", "a size is less than 8192P"),
            (
                "1.2345G",
                "write a number and a unit, as in `512M`, `4G` or `1.5T`",
            ),
            (
                "-1G",
                "write a number and a unit, as in `512M`, `4G` or `1.5T`",
            ),
            (
                "1.G",
                "write a number and a unit, as in `512M`, `4G` or `1.5T`",
            ),
            ("4ä", "units are B, K, M, G, T and P, powers of 1024"),
        ] {
            assert_eq!(
                Bytes::parse(text).unwrap_err().help.as_deref(),
                Some(help),
                "{text}"
            );
        }
    }

    #[test]
    fn durations() {
        assert_eq!(Millis::parse("30s"), Ok(Millis(30_000)));
        assert_eq!(Millis::parse("1h 30min"), Ok(Millis(5_400_000)));
        assert_eq!(Millis::parse("1h30min"), Ok(Millis(5_400_000)));
        assert_eq!(Millis::parse("2.5 s"), Ok(Millis(2500)));
        assert_eq!(Millis::parse("0s"), Ok(Millis(0)));
        assert_eq!(Millis::parse("1500us"), Ok(Millis(1)));
        for text in ["30", "", "s", "5 minuten", "-5s", "1us", "200y", "5s x"] {
            assert!(Millis::parse(text).unwrap_err().help.is_some(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn sizes_round_trip(bytes in 1..i64::MAX as u64, shift in 0..40u32) {
            let bytes = (bytes >> shift << shift).max(1);
            prop_assert_eq!(Bytes::parse(&format_bytes(bytes)), Ok(Bytes(bytes)));
        }

        #[test]
        fn durations_round_trip(millis in 0..3_000_000_000_000u64) {
            prop_assert_eq!(Millis::parse(&format_millis(millis)), Ok(Millis(millis)));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,12}", close in "[0-9. a-zA-ZÄ]{0,8}") {
            for text in [text, close] {
                let _ = Bytes::parse(&text);
                let _ = Millis::parse(&text);
                let _ = cpu_help(&text);
            }
        }
    }
}
