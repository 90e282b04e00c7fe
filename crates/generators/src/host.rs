//! `/var/lib/bitbuilder/units/boot`: links to what the host's own units get from its system repository, in the same form
//! as those of a tenant. A damaged list must not shadow anything else of the host.

use crate::boot::LIMIT;
use crate::calls;
use crate::file;
use crate::names::{self, Names};
use crate::output::Output;
use rustix::fd::OwnedFd;
use rustix::io::Errno;

/// Where it is, relative to the root.
const DIRECTORY: &str = "var/lib/bitbuilder/units";
/// Units that may get drop-ins.
const UNITS: &[&str] = &[
    "bitbuilder-sync.timer",
    "bitbuilder-webhook.socket",
    "bitbuilder-webhook@.service",
];
/// Units that may be pulled in by the boot, beside those of watched repositories.
const STARTED: &[&str] = &["bitbuilder-requests.path", "bitbuilder-webhook.socket"];

/// Makes the links of the host, all or none; there is no list where nothing is to be linked.
///
/// # Errors
/// Why none is made.
pub(crate) fn place(root: &OwnedFd, output: &mut Output<'_>) -> Result<(), String> {
    let path = [DIRECTORY, "/boot"].concat();
    let at = |what: &dyn std::fmt::Display| format!("/{path}: {what}");
    let mut text = Vec::new();
    match file::open(root, path.as_str()).and_then(|file| file::read(&file, &mut text, LIMIT)) {
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(at(&error)),
        Ok(()) => {}
    }
    let links =
        check(&text).map_err(|line| at(&format_args!("line {line} is no link of the host")))?;
    let mut calls = Vec::new();
    for (link, target) in links {
        let target = match target {
            Target::Own(target) => ["/", DIRECTORY, "/", target].concat(),
            Target::Shipped(target) => target.to_owned(),
        };
        calls::add_shipped(link, &target, &mut calls);
    }
    let made = output.make(&calls);
    made.map_err(|(path, error)| at(&format_args!("{}: {error}", path.to_string_lossy())))
}

enum Target<'a> {
    /// A directory beside the list.
    Own(&'a str),
    /// A unit that is shipped.
    Shipped(&'a str),
}

/// The links; the number of the first line that is none of ours, from 1.
fn check(text: &[u8]) -> Result<Vec<(&str, Target<'_>)>, usize> {
    let text = std::str::from_utf8(text).map_err(|_| 1_usize)?;
    let lines = text.split_inclusive('\n').enumerate();
    lines
        .map(|(index, line)| {
            line.strip_suffix('\n')
                .and_then(|line| line.split_once('\t'))
                .and_then(|(link, target)| Some((link, belongs(link, target)?)))
                .ok_or(index + 1)
        })
        .collect()
}

fn belongs<'a>(link: &str, target: &'a str) -> Option<Target<'a>> {
    if let Some(unit) = link.strip_suffix(".d") {
        let own = UNITS.contains(&unit) || is_watch(unit);
        return (own && target.strip_prefix("system/") == Some(link))
            .then_some(Target::Own(target));
    }
    let unit = link.strip_prefix("multi-user.target.wants/")?;
    let shipped = target.strip_prefix(names::SHIPPED)?;
    let own = if is_watch(unit) {
        shipped == "bitbuilder-path@.path"
    } else {
        STARTED.contains(&unit) && shipped == unit
    };
    own.then_some(Target::Shipped(target))
}

/// Whether `unit` watches a repository: a tenant's or the host's.
fn is_watch(unit: &str) -> bool {
    unit.strip_prefix("bitbuilder-path@")
        .and_then(|rest| rest.strip_suffix(".path"))
        .is_some_and(|id| Names::new(id).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "bitbuilder-path@shop.path.d\tsystem/bitbuilder-path@shop.path.d\n\
        bitbuilder-sync.timer.d\tsystem/bitbuilder-sync.timer.d\n\
        multi-user.target.wants/bitbuilder-path@shop.path\t/usr/lib/systemd/system/bitbuilder-path@.path\n\
        multi-user.target.wants/bitbuilder-requests.path\t/usr/lib/systemd/system/bitbuilder-requests.path\n";

    #[test]
    fn links_of_the_host() {
        assert_eq!(
            check(GOOD.as_bytes()).map(|links| links.len()).ok(),
            Some(4)
        );
        assert_eq!(check(b"").map(|links| links.len()).ok(), Some(0));
        for line in [
            "sshd.service.d\tsystem/sshd.service.d",
            "bitbuilder-sync.timer.d\tsystem/../../x",
            "bitbuilder-sync.timer.d\t/etc",
            "bitbuilder-sync.timer\tsystem/bitbuilder-sync.timer",
            "bitbuilder-path@../x.path.d\tsystem/bitbuilder-path@../x.path.d",
            "multi-user.target.wants/sshd.service\t/usr/lib/systemd/system/sshd.service",
            "multi-user.target.wants/bitbuilder-requests.path\t/usr/lib/systemd/system/sshd.service",
            "multi-user.target.wants/bitbuilder-path@a.path\t/usr/lib/systemd/system/tenant@.service",
            "sockets.target.wants/bitbuilder-webhook.socket\t/usr/lib/systemd/system/bitbuilder-webhook.socket",
            "bitbuilder-sync.timer.d",
            "",
        ] {
            let text = format!("{GOOD}{line}\n");
            assert_eq!(check(text.as_bytes()).err(), Some(5), "{line}");
        }
    }

    #[test]
    fn cut_off_anywhere() {
        for length in 0..GOOD.len() {
            let whole = length == 0 || GOOD[..length].ends_with('\n');
            assert_eq!(
                check(&GOOD.as_bytes()[..length]).is_ok(),
                whole,
                "{}",
                &GOOD[..length]
            );
        }
    }
}
