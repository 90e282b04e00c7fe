//! Limits of units: what their files say, systemd.resource-control(5), against what `systemctl show` says.

use super::{How, Item, Remedy, What};
use crate::unitfile::read::assignments;
use std::collections::BTreeMap;

/// What `systemctl show` is asked for.
pub const PROPERTIES: [&str; 4] = ["CPUQuotaPerSecUSec", "MemoryMax", "TasksMax", "IOWeight"];

/// What differs between `text`, the file of a unit that says its limits, and the properties in force.
pub fn compare(unit: &str, text: &str, found: &BTreeMap<String, String>) -> Option<Item> {
    let mut wanted: BTreeMap<&str, String> = BTreeMap::new();
    for setting in assignments(text).ok()? {
        let (property, value) = match setting.key {
            "CPUQuota" => ("CPUQuotaPerSecUSec", cpu(setting.value)?),
            "MemoryMax" | "TasksMax" | "IOWeight" => (setting.key, setting.value.to_owned()),
            _ => continue,
        };
        wanted.insert(property, value);
    }
    let differs = |property: &str, value: &str| {
        let found = found.get(property).map(|found| plain(property, found));
        found.is_some_and(|found| found != value)
    };
    let differing: Vec<(&str, &String)> = wanted
        .iter()
        .filter(|(property, value)| differs(property, value))
        .map(|(property, value)| (*property, value))
        .collect();
    if differing.is_empty() {
        return None;
    }
    let list = |value: &dyn Fn(&str, &str) -> String| {
        let parts = differing
            .iter()
            .map(|(property, wanted)| format!("{property}={}", value(property, wanted)));
        parts.collect::<Vec<_>>().join(" ")
    };
    Some(Item {
        what: What::Unit,
        how: How::Changed,
        subject: unit.to_owned(),
        expected: list(&|_, wanted| wanted.to_owned()),
        seen: list(&|property, _| found.get(property).cloned().unwrap_or_default()),
        since: None,
        by: None,
        remedy: Remedy::Reload,
    })
}

/// `50%` as microseconds per second; nothing is no limit.
fn cpu(quota: &str) -> Option<String> {
    if quota.is_empty() {
        return Some("infinity".to_owned());
    }
    let percent = quota.strip_suffix('%')?;
    let (whole, tenth) = percent.split_once('.').unwrap_or((percent, "0"));
    let tenths = whole.parse::<u64>().ok()?.checked_mul(10)? + tenth.parse::<u64>().ok()?;
    Some((tenths * 1000).to_string())
}

/// A value of `systemctl show` as the file would say it.
fn plain(property: &str, value: &str) -> String {
    match property {
        "CPUQuotaPerSecUSec" => time(value).map_or_else(|| value.to_owned(), |us| us.to_string()),
        _ => value.to_owned(),
    }
}

/// `1min 2.5s`, `500ms` in microseconds; `None` for anything else, as `infinity`.
fn time(text: &str) -> Option<u64> {
    let mut sum = 0u64;
    for part in text.split_whitespace() {
        let unit = part.find(|c: char| c.is_ascii_alphabetic())?;
        let (number, unit) = part.split_at(unit);
        let each: u64 = match unit {
            "us" => 1,
            "ms" => 1000,
            "s" => 1_000_000,
            "min" => 60_000_000,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let mut value = whole.parse::<u64>().ok()?.checked_mul(each)?;
        let mut place = each;
        for digit in fraction.chars() {
            place /= 10;
            value += u64::from(digit.to_digit(10)?) * place;
        }
        sum = sum.checked_add(value)?;
    }
    (!text.trim().is_empty()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_systemctl_are_read() {
        for (text, us) in [
            ("500ms", Some(500_000)),
            ("2s", Some(2_000_000)),
            ("1.250s", Some(1_250_000)),
            ("1min 30s", Some(90_000_000)),
            ("infinity", None),
            ("", None),
        ] {
            assert_eq!(time(text), us, "{text}");
        }
        assert_eq!(cpu("12.5%").as_deref(), Some("125000"));
        assert_eq!(cpu("400%").as_deref(), Some("4000000"));
    }
}
