//! Settings of units and drop-ins: known names, known values, and nothing that confines is missing.

use super::Lint;
use super::expected::{Expected, Machine};
use super::{command, machine};
use crate::artefact::UnitKind;
use crate::unitfile::read::{Assignment, assignments, words};

pub(super) fn check(lint: &mut Lint<'_>) {
    for (path, text) in lint.texts("system/") {
        let Some(settings) = settings(lint, path, text) else {
            continue;
        };
        let (unit, file) = path["system/".len()..]
            .split_once(".d/")
            .unwrap_or((&path["system/".len()..], ""));
        match (lint.expected.kind(unit), lint.expected.machine_of(unit)) {
            (Some(UnitKind::Slice), _) => slice(lint, path, &settings),
            (Some(UnitKind::Namespace), _) => namespace(lint, path, &settings),
            (Some(UnitKind::Tenant | UnitKind::Network), _) => {
                each(lint, path, &settings, |_, s| {
                    s.key == "LogExtraFields" && is_log(s.value)
                });
            }
            (Some(UnitKind::Health), Some(machine)) => timer(lint, path, &settings, machine),
            (Some(UnitKind::Workload), Some(machine)) => match file {
                "50-bitbuilder.conf" if unit == machine.vm() => {
                    machine::check(lint, path, &settings, machine);
                }
                "50-bitbuilder.conf" => workload(lint, path, &settings, machine),
                "60-limits.conf" => each(lint, path, &settings, |_, s| is_limit(s, "Service")),
                "65-restart.conf" => each(lint, path, &settings, |_, s| is_restart(s)),
                _ => dependencies(lint, path, &settings, machine),
            },
            _ => service(lint, path, &settings),
        }
    }
}

/// The settings of a file; `None`, and a finding, when it could be read in two ways.
pub(super) fn settings<'a>(
    lint: &mut Lint<'_>,
    path: &str,
    text: &'a str,
) -> Option<Vec<Assignment<'a>>> {
    match assignments(text) {
        Ok(settings) => Some(settings),
        Err(line) => {
            lint.refuse(
                path,
                "syntax",
                format!("`{line}` is no line of a unit file"),
            );
            None
        }
    }
}

/// Refuses every setting that is neither known everywhere nor `known` here.
pub(super) fn each(
    lint: &mut Lint<'_>,
    path: &str,
    settings: &[Assignment<'_>],
    known: impl Fn(&Lint<'_>, &Assignment<'_>) -> bool,
) {
    for setting in settings {
        let everywhere = match setting.key {
            "X-BitBuilder-Tenant" => setting.value == lint.expected.id.as_str(),
            "X-BitBuilder-File" => true,
            "Description" => setting.section == "Unit" && is_plain(setting.value),
            _ => false,
        };
        if !everywhere && !known(lint, setting) {
            let Assignment {
                section,
                key,
                value,
            } = setting;
            let message = format!("`{key}={value}` in [{section}] is not what a tenant may have");
            lint.refuse(path, "setting", message);
        }
    }
}

/// Refuses a file in which `key` is not set exactly once, to `value`.
pub(super) fn exactly(
    lint: &mut Lint<'_>,
    path: &str,
    settings: &[Assignment<'_>],
    key: &str,
    value: &str,
) {
    let mut its = settings.iter().filter(|setting| setting.key == key);
    let holds = its.next().is_some_and(|setting| setting.value == value) && its.next().is_none();
    lint.require(
        holds,
        path,
        "setting",
        format!("`{key}={value}` is missing"),
    );
}

/// Whether no specifier is expanded in it.
pub(super) fn is_plain(value: &str) -> bool {
    let mut rest = value.split('%');
    rest.next();
    // Between two of a pair there is nothing.
    loop {
        match (rest.next(), rest.next()) {
            (None, _) => return true,
            (Some(""), Some(_)) => {}
            _ => return false,
        }
    }
}

pub(super) fn is_log(value: &str) -> bool {
    words(value).is_some_and(|fields| fields.iter().all(|field| field.starts_with("BITBUILDER_")))
}

/// A number, perhaps with a unit.
fn is_amount(value: &str) -> bool {
    let mut bytes = value.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_digit())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

fn is_numbers(value: &str) -> bool {
    value
        .split(' ')
        .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_limit(setting: &Assignment<'_>, section: &str) -> bool {
    let value = setting.value;
    setting.section == section
        && match setting.key {
            "CPUQuota" => value.is_empty() || milli_cores(value).is_some(),
            "MemoryMax" | "TasksMax" => value == "infinity" || value.parse::<u64>().is_ok(),
            "IOWeight" => value == "100",
            _ => false,
        }
}

fn is_restart(setting: &Assignment<'_>) -> bool {
    let value = setting.value;
    setting.section == "Service"
        && match setting.key {
            "Restart" => matches!(value, "always" | "on-failure" | "no"),
            "RestartSec" | "RestartSteps" | "RestartMaxDelaySec" => is_amount(value),
            "SuccessExitStatus" | "RestartForceExitStatus" => is_numbers(value),
            _ => false,
        }
}

/// `12.5%` in thousandths of a core.
fn milli_cores(value: &str) -> Option<u64> {
    let number = value.strip_suffix('%')?;
    let (whole, tenths) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(tenths) || tenths.len() != 1 {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    whole.checked_mul(10)?.checked_add(tenths.parse().ok()?)
}

/// The registry's ceilings hold for the whole slice.
fn slice(lint: &mut Lint<'_>, path: &str, settings: &[Assignment<'_>]) {
    each(lint, path, settings, |_, s| is_limit(s, "Slice"));
    let limits = lint.expected.registration.limits;
    let ceilings = [
        ("CPUQuota", limits.cpu.map(|cpu| cpu.0)),
        ("MemoryMax", limits.memory.map(|memory| memory.0)),
        ("TasksMax", limits.tasks),
    ];
    for (key, ceiling) in ceilings {
        let Some(ceiling) = ceiling else { continue };
        let mut its = settings.iter().filter(|setting| setting.key == key);
        let within = its.next().is_some_and(|setting| {
            let value = match key {
                "CPUQuota" => milli_cores(setting.value),
                _ => setting.value.parse().ok(),
            };
            // A quota below a thousandth of a core cannot be written.
            value.is_some_and(|value| value <= ceiling.max(1))
        });
        let holds = within && its.next().is_none();
        lint.require(
            holds,
            path,
            "limit",
            format!("`{key}=` is not within what the registry gives"),
        );
    }
}

fn namespace(lint: &mut Lint<'_>, path: &str, settings: &[Assignment<'_>]) {
    each(lint, path, settings, |lint, s| match (s.section, s.key) {
        ("Service", "LogExtraFields") => is_log(s.value),
        ("Service", "ExecStartPre" | "ExecStopPost") => {
            let own = lint.expected.namespace.iter();
            let mut own = own.flat_map(|namespace| &namespace.interfaces);
            own.any(|own| s.value == format!("-ip link delete dev {}", own.allocated.link))
        }
        _ => false,
    });
}

fn timer(lint: &mut Lint<'_>, path: &str, settings: &[Assignment<'_>], machine: &Machine<'_>) {
    let units = [machine.container(), machine.vm()];
    let unit = units.into_iter().find(|unit| lint.owns(unit));
    let unit = unit.unwrap_or_default();
    each(lint, path, settings, |_, s| match (s.section, s.key) {
        ("Unit", "PartOf" | "After") => s.value == unit,
        ("Timer", "OnActiveSec" | "OnUnitActiveSec" | "AccuracySec") => {
            // Faster than this a check would be a load.
            let time = s
                .value
                .strip_suffix("ms")
                .and_then(|n| n.parse::<u64>().ok());
            time.is_some_and(|time| time >= 100)
        }
        _ => false,
    });
    exactly(lint, path, settings, "PartOf", &unit);
}

fn service(lint: &mut Lint<'_>, path: &str, settings: &[Assignment<'_>]) {
    each(lint, path, settings, |lint, s| {
        s.section == "Service"
            && match s.key {
                "Slice" => s.value == lint.expected.slice(),
                "TimeoutStartSec" => is_amount(s.value),
                "LogExtraFields" => is_log(s.value),
                "BindNetworkInterface" => lint.expected.vrf(s.value).is_some(),
                _ => false,
            }
    });
    exactly(lint, path, settings, "Slice", &lint.expected.slice());
}

fn dependencies(
    lint: &mut Lint<'_>,
    path: &str,
    settings: &[Assignment<'_>],
    machine: &Machine<'_>,
) {
    each(lint, path, settings, |lint, s| match (s.section, s.key) {
        ("Unit", "Wants" | "After") => s.value.split(' ').all(|unit| {
            !machine.is_run_by(unit)
                && lint.expected.kind(unit) == Some(UnitKind::Workload)
                && lint.owns(unit)
        }),
        ("Service", "TimeoutStartSec") => is_amount(s.value),
        ("Service", "ExecStartPre") => command::is_wait(lint, s.value),
        _ => false,
    });
}

fn workload(lint: &mut Lint<'_>, path: &str, settings: &[Assignment<'_>], machine: &Machine<'_>) {
    let expected: &Expected<'_> = lint.expected;
    let known = command::known(expected, machine);
    let root = machine.root_unit(expected);
    let namespace = expected.shared(machine).map(|_| expected.namespace_unit());
    each(lint, path, settings, |lint, s| match (s.section, s.key) {
        ("Unit", "PartOf") => s.value == expected.tenant(),
        ("Unit", "Requires" | "After") => {
            let own = [Some(&root), namespace.as_ref()].into_iter().flatten();
            s.value == expected.network()
                || own.into_iter().any(|own| s.value == *own && lint.owns(own))
        }
        ("Unit", "StartLimitIntervalSec") => s.value == "0",
        ("Service", "Slice") => s.value == expected.slice(),
        ("Service", "LogExtraFields") => is_log(s.value),
        ("Service", "LoadCredentialEncrypted") => is_credential(lint, machine, s.value),
        ("Service", "ExecStartPre" | "ExecStopPost") => {
            s.value.is_empty() || known.iter().any(|line| line.is(s.value))
        }
        ("Service", "ExecStart") => true,
        _ => false,
    });
    exactly(lint, path, settings, "PartOf", &expected.tenant());
    exactly(lint, path, settings, "Slice", &expected.slice());
    for (key, unit) in ["Requires", "After"]
        .into_iter()
        .flat_map(|key| [Some(&root), namespace.as_ref()].map(|unit| (key, unit)))
    {
        let Some(unit) = unit else { continue };
        let has = settings.iter().any(|s| s.key == key && s.value == *unit);
        lint.require(has, path, "setting", format!("`{key}={unit}` is missing"));
    }
    let lines: Vec<&str> = settings
        .iter()
        .filter(|setting| setting.key == "ExecStart")
        .map(|setting| setting.value)
        .collect();
    // The first forgets what upstream's unit runs.
    match lines.as_slice() {
        ["", line] => command::nspawn(lint, path, line, machine),
        _ => lint.refuse(path, "command", "`ExecStart=` is not reset and set once"),
    }
    let networked = lines.iter().any(|line| line.contains("--network-"));
    let guarded = ["Requires", "After"].iter().all(|key| {
        let network = expected.network();
        settings.iter().any(|s| s.key == *key && s.value == network)
    });
    lint.require(
        !networked || guarded,
        path,
        "setting",
        "it could start before its packet rules are there",
    );
}

/// `name:path` of a ciphertext in this set.
pub(super) fn is_credential(lint: &Lint<'_>, machine: &Machine<'_>, value: &str) -> bool {
    let Some((name, path)) = value.split_once(':') else {
        return false;
    };
    let file = format!("credentials/{}/{name}", machine.workload);
    is_plain(name) && lint.has(&file) && path == lint.expected.current(&file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifiers_are_seen() {
        for plain in ["", "a", "100%%", "%%i", "%%%%"] {
            assert!(is_plain(plain), "{plain}");
        }
        for expanded in ["%i", "a%", "%%%i", "%", "%%%"] {
            assert!(!is_plain(expanded), "{expanded}");
        }
    }

    #[test]
    fn quotas_are_read() {
        assert_eq!(milli_cores("200%"), Some(2000));
        assert_eq!(milli_cores("12.5%"), Some(125));
        for wrong in ["", "%", "1e3%", "-1%", "1.25%", "5"] {
            assert_eq!(milli_cores(wrong), None, "{wrong}");
        }
    }
}
