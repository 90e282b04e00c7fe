//! What the host's own units get from its system repository: when the timer fires, which repositories of this host are
//! watched, and where deliveries of forges are received. The files are kept in `/var/lib/bitbuilder/units/`; the generator links them at each boot and reload, so that
//! they are in force before the first pass and without a network.

use crate::digest::sha256_parts;
use crate::document::default_policy;
use crate::model::{Millis, Sync};
use crate::unitfile::{UnitFile, Unwritable};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// Name of the list of links, beside the files.
pub const BOOT: &str = "boot";
/// Instance of the system repository; no tenant is called so.
pub const SYSTEM: &str = "system";
/// Who has which secret of the receiver of webhooks, beside the files: a target and the name of a credential per line.
pub const WEBHOOKS: &str = "webhooks";
/// In [`WEBHOOKS`]: whoever has no secret of its own. No tenant is called so.
pub const ALL: &str = "*";
/// Starts a pass for whoever asked for one.
pub const REQUESTS: &str = "bitbuilder-requests.path";

const SOCKET: &str = "bitbuilder-webhook.socket";
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

/// Where deliveries of forges are received, and who may send them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// Address and port.
    pub address: SocketAddr,
    /// What deliveries are signed with.
    pub secrets: Vec<Secret>,
}

/// What deliveries for a target are signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// A tenant's id, [`SYSTEM`], or [`ALL`].
    pub target: String,
    /// Name of the credential.
    pub name: String,
    /// It, as systemd-creds(1) prints it.
    pub ciphertext: String,
}

/// What is written, and what has to be active.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostUnits {
    /// Files by path: `system/<unit>.d/<name>.conf`, `credentials/<name>`, [`WEBHOOKS`].
    pub files: BTreeMap<String, String>,
    /// Units that are active from the boot on.
    pub active: BTreeSet<String>,
}

impl HostUnits {
    /// The units for a policy, what is watched, and what is received. `directory` is where the files will be.
    ///
    /// # Errors
    /// A path that a unit file cannot hold.
    pub fn render(
        sync: &Sync,
        watches: &[Watch],
        receiver: Option<&Receiver>,
        directory: &str,
    ) -> Result<Self, Unwritable> {
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
        if let Some(receiver) = receiver {
            units.receive(receiver, directory)?;
        }
        Ok(units)
    }

    fn receive(&mut self, receiver: &Receiver, directory: &str) -> Result<(), Unwritable> {
        let mut socket = UnitFile::new(COMMENT);
        socket
            .section("Socket")
            .verbatim("ListenStream", receiver.address);
        self.drop_in(SOCKET, &socket)?;
        let mut service = UnitFile::new(COMMENT);
        service.section("Service");
        let mut list = String::new();
        for secret in &receiver.secrets {
            let Secret { target, name, .. } = secret;
            let path = format!("credentials/{name}");
            list.push_str(&format!("{target}\t{name}\n"));
            let known = self.files.insert(path.clone(), secret.ciphertext.clone());
            if known.is_none() {
                let credential = format!("{name}:{directory}/{path}");
                service.text("LoadCredentialEncrypted", &credential);
            }
        }
        if !receiver.secrets.is_empty() {
            self.drop_in("bitbuilder-webhook@.service", &service)?;
        }
        self.files.insert(WEBHOOKS.to_owned(), list);
        self.active.insert(SOCKET.to_owned());
        self.active.insert(REQUESTS.to_owned());
        Ok(())
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

    fn render(sync: &Sync, watches: &[Watch]) -> Result<HostUnits, Unwritable> {
        HostUnits::render(sync, watches, None, "/units")
    }

    #[test]
    fn a_receiver_has_an_address_and_each_secret_once() {
        let secret = |target: &str, name: &str| Secret {
            target: target.to_owned(),
            name: name.to_owned(),
            ciphertext: format!("{name} in ciphertext"),
        };
        let mut receiver = Receiver {
            address: "[::1]:8080".parse().unwrap(),
            secrets: vec![
                secret(ALL, "all"),
                secret("shop", "forge"),
                secret("blog", "forge"),
            ],
        };
        let sync = default_policy().sync;
        let units = HostUnits::render(&sync, &[], Some(&receiver), "/units").unwrap();
        let socket = &units.files["system/bitbuilder-webhook.socket.d/50-bitbuilder.conf"];
        assert!(
            socket.ends_with("[Socket]\nListenStream=[::1]:8080\n"),
            "{socket}"
        );
        let service = &units.files["system/bitbuilder-webhook@.service.d/50-bitbuilder.conf"];
        let loaded = "[Service]\nLoadCredentialEncrypted=all:/units/credentials/all\n\
                      LoadCredentialEncrypted=forge:/units/credentials/forge\n";
        assert!(service.ends_with(loaded), "{service}");
        assert_eq!(units.files[WEBHOOKS], "*\tall\nshop\tforge\nblog\tforge\n");
        assert_eq!(units.files["credentials/forge"], "forge in ciphertext");
        assert!(units.active.contains(SOCKET) && units.active.contains(REQUESTS));
        let links = units.boot();
        for link in [
            "bitbuilder-webhook.socket.d\tsystem/bitbuilder-webhook.socket.d\n",
            "bitbuilder-webhook@.service.d\tsystem/bitbuilder-webhook@.service.d\n",
            "multi-user.target.wants/bitbuilder-webhook.socket\t/usr/lib/systemd/system/bitbuilder-webhook.socket\n",
        ] {
            assert!(links.contains(link), "{links}");
        }
        let before = units.digest();
        receiver.secrets[0].ciphertext.push('!');
        let units = HostUnits::render(&sync, &[], Some(&receiver), "/units").unwrap();
        assert_ne!(units.digest(), before);
        // Without any the host may still have its own.
        receiver.secrets.clear();
        let units = HostUnits::render(&sync, &[], Some(&receiver), "/units").unwrap();
        assert_eq!(units.files.len(), 2, "{units:?}");
    }

    #[test]
    fn the_usual_policy_needs_nothing() {
        let units = render(&default_policy().sync, &[]).unwrap();
        assert!(units.is_empty());
        assert_eq!(units.boot(), "");
    }

    #[test]
    fn the_timer_follows_the_policy() {
        let units = render(&sync(60_000, 1_500), &[]).unwrap();
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
        let units = render(&default_policy().sync, &[watch()]).unwrap();
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
        let units = render(&default_policy().sync, &[table]).unwrap();
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
        let none = render(&usual, &[]).unwrap().digest();
        let one = render(&usual, &[watch()]).unwrap().digest();
        let faster = render(&sync(60_000, 1_500), &[]).unwrap().digest();
        assert!(none != one && one != faster && none != faster);
    }
}
