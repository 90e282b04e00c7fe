//! What the host's own units get from its system repository: when the timer fires, and which repositories of this host are
//! watched. The files are kept in `/var/lib/bitbuilder/units/`; the generator links them at each boot and reload, so that
//! they are in force before the first pass and without a network.

use crate::digest::sha256_parts;
use crate::document::default_policy;
use crate::model::{Millis, Sync};
use crate::unitfile::{UnitFile, Unwritable};
use std::collections::{BTreeMap, BTreeSet};

/// Name of the list of links, beside the files.
pub const BOOT: &str = "boot";
/// Instance of the system repository; no tenant is called so.
pub const SYSTEM: &str = "system";
/// Starts a pass for whoever asked for one.
pub const REQUESTS: &str = "bitbuilder-requests.path";

const TIMER: &str = "bitbuilder-sync.timer";
const SHIPPED: &str = "/usr/lib/systemd/system/";
const COMMENT: &str = "Made from the system repository; changes are lost.";
/// As the timer that is shipped says: the first pass after a boot.
const AFTER_BOOT: Millis = Millis(10_000);

/// A repository on this host that somebody else writes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// The tenant's id, or [`SYSTEM`].
    pub instance: String,
    /// Where its refs are.
    pub git_dir: String,
    /// Branch, tag or full ref name.
    pub reference: String,
    /// Whether the refs are in one table rather than in a file each.
    pub reftable: bool,
}

/// What is written, and what has to be active.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostUnits {
    /// Files by path, `system/<unit>.d/<name>.conf`.
    pub files: BTreeMap<String, String>,
    /// Units that are active from the boot on.
    pub active: BTreeSet<String>,
}

impl HostUnits {
    /// The units for a policy and what is watched.
    ///
    /// # Errors
    /// A path that a unit file cannot hold.
    pub fn render(sync: &Sync, watches: &[Watch]) -> Result<Self, Unwritable> {
        let mut units = Self::default();
        if *sync
            != (Sync {
                timeout: sync.timeout,
                ..default_policy().sync
            })
        {
            units.drop_in(TIMER, &timer(sync))?;
        }
        for watch in watches {
            let unit = format!("bitbuilder-path@{}.path", watch.instance);
            units.drop_in(&unit, &path(watch))?;
            units.active.insert(unit);
            units.active.insert(REQUESTS.to_owned());
        }
        Ok(units)
    }

    fn drop_in(&mut self, unit: &str, file: &UnitFile) -> Result<(), Unwritable> {
        let path = format!("system/{unit}.d/50-bitbuilder.conf");
        self.files.insert(path, file.finish()?);
        Ok(())
    }

    /// Whether the host needs nothing but what is shipped.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.active.is_empty()
    }

    /// The links that the generator makes: `<link>\t<target>`, a line each.
    pub fn boot(&self) -> String {
        let directories: BTreeSet<&str> = self
            .files
            .keys()
            .filter_map(|path| path.strip_prefix("system/")?.split_once('/'))
            .map(|(directory, _)| directory)
            .collect();
        let mut text = String::new();
        for directory in directories {
            text.push_str(&format!("{directory}\tsystem/{directory}\n"));
        }
        for unit in &self.active {
            let template = match (unit.split_once('@'), unit.rsplit_once('.')) {
                (Some((name, _)), Some((_, kind))) => format!("{name}@.{kind}"),
                _ => unit.clone(),
            };
            text.push_str(&format!(
                "multi-user.target.wants/{unit}\t{SHIPPED}{template}\n"
            ));
        }
        text
    }

    /// Hash over all of it.
    pub fn digest(&self) -> String {
        let files = self.files.iter().flat_map(|(path, text)| [path, text]);
        let all = files.chain(&self.active);
        sha256_parts(all.map(|part| part.as_bytes()))
    }
}

fn timer(sync: &Sync) -> UnitFile {
    let mut file = UnitFile::new(COMMENT);
    let millis = |time: Millis| format!("{}ms", time.0);
    // The first line forgets all times of the shipped timer.
    file.section("Timer")
        .reset("OnUnitInactiveSec")
        .verbatim("OnBootSec", millis(AFTER_BOOT))
        .verbatim("OnUnitInactiveSec", millis(sync.interval))
        .verbatim("RandomizedDelaySec", millis(sync.jitter));
    file
}

/// The directories that the reference can be in: Git makes a lock file there and renames it. A watch of the reference's own
/// file would be renewed when the lock file is made, and miss the renaming.
fn path(watch: &Watch) -> UnitFile {
    let Watch {
        git_dir, reference, ..
    } = watch;
    let names = match watch.reftable {
        true => vec!["reftable/tables.list".to_owned()],
        false if reference.starts_with("refs/") => vec![reference.clone()],
        false => vec![
            format!("refs/heads/{reference}"),
            format!("refs/tags/{reference}"),
        ],
    };
    let mut file = UnitFile::new(COMMENT);
    file.section("Path");
    for name in names {
        let directory = name.rsplit_once('/').map_or("", |(directory, _)| directory);
        file.text("PathChanged", &format!("{git_dir}/{directory}"));
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sync(interval: u64, jitter: u64) -> Sync {
        Sync {
            interval: Millis(interval),
            jitter: Millis(jitter),
            timeout: Millis(1),
        }
    }

    fn watch() -> Watch {
        Watch {
            instance: "shop".to_owned(),
            git_dir: "/srv/100%/shop.git".to_owned(),
            reference: "main".to_owned(),
            reftable: false,
        }
    }

    #[test]
    fn the_usual_policy_needs_nothing() {
        let units = HostUnits::render(&default_policy().sync, &[]).unwrap();
        assert!(units.is_empty());
        assert_eq!(units.boot(), "");
    }

    #[test]
    fn the_timer_follows_the_policy() {
        let units = HostUnits::render(&sync(60_000, 1_500), &[]).unwrap();
        assert_eq!(
            units.files["system/bitbuilder-sync.timer.d/50-bitbuilder.conf"],
            "# Made from the system repository; changes are lost.\n\n[Timer]\nOnUnitInactiveSec=\n\
             OnBootSec=10000ms\nOnUnitInactiveSec=60000ms\nRandomizedDelaySec=1500ms\n"
        );
        assert_eq!(
            units.boot(),
            "bitbuilder-sync.timer.d\tsystem/bitbuilder-sync.timer.d\n"
        );
    }

    #[test]
    fn the_refs_of_a_repository_are_watched() {
        let units = HostUnits::render(&default_policy().sync, &[watch()]).unwrap();
        let file = &units.files["system/bitbuilder-path@shop.path.d/50-bitbuilder.conf"];
        let watched: Vec<&str> = file.lines().filter(|line| line.contains('=')).collect();
        assert_eq!(
            watched,
            [
                "PathChanged=/srv/100%%/shop.git/refs/heads",
                "PathChanged=/srv/100%%/shop.git/refs/tags",
            ]
        );
        assert_eq!(
            units.boot(),
            "bitbuilder-path@shop.path.d\tsystem/bitbuilder-path@shop.path.d\n\
             multi-user.target.wants/bitbuilder-path@shop.path\t/usr/lib/systemd/system/bitbuilder-path@.path\n\
             multi-user.target.wants/bitbuilder-requests.path\t/usr/lib/systemd/system/bitbuilder-requests.path\n"
        );
        let table = Watch {
            reftable: true,
            ..watch()
        };
        let units = HostUnits::render(&default_policy().sync, &[table]).unwrap();
        assert!(
            units
                .files
                .values()
                .all(|file| file.ends_with("=/srv/100%%/shop.git/reftable\n"))
        );
    }

    #[test]
    fn the_hash_tells_sets_apart() {
        let usual = default_policy().sync;
        let none = HostUnits::render(&usual, &[]).unwrap().digest();
        let one = HostUnits::render(&usual, &[watch()]).unwrap().digest();
        let faster = HostUnits::render(&sync(60_000, 1_500), &[])
            .unwrap()
            .digest();
        assert!(none != one && one != faster && none != faster);
    }
}
