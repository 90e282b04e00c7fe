//! What WireGuard links need before networkd makes them: keys, and to be made anew when something of them changes. Their
//! peers begin again then, as they would with every change that the kernel takes.

use super::placed::Placed;
use crate::host::{Host, HostError};
use crate::wireguard;
use bitbuilder_core::model::Name;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Files of a directory, by name.
type Files = BTreeMap<String, Vec<u8>>;

/// Makes private keys that are not there and places preshared ones; public keys by link.
pub(super) fn prepare(
    host: &dyn Host,
    id: &Name,
    files: &Files,
    secrets: &Files,
) -> Result<BTreeMap<String, String>, HostError> {
    let mut wanted = Vec::new();
    for (file, ciphertext) in secrets {
        let placed = format!("{id}.{file}");
        // NETWORK.PEER.DIGEST.psk
        let peer: Vec<&str> = file.split('.').take(2).collect();
        let name = format!("wireguard.{id}.{}", peer.join("."));
        wireguard::place_secret(host, &placed, &name, ciphertext)?;
        wanted.push(placed);
    }
    wireguard::remove_secrets(host.root(), id, &wanted)?;
    let mut keys = BTreeMap::new();
    for text in files.values() {
        if let Some((link, network)) = tunnel(id, text) {
            keys.insert(link, wireguard::public_key(host, id, &network)?);
        }
    }
    Ok(keys)
}

/// Link and network of a `.netdev` file with a private key; our own writer made it.
fn tunnel(id: &Name, text: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(text).ok()?;
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key));
    let file = Path::new(value("PrivateKeyFile=")?).file_name()?.to_str()?;
    let network = file.strip_prefix(&format!("{id}."))?.strip_suffix(".key")?;
    Some((value("Name=")?.to_owned(), network.to_owned()))
}

/// Tunnels to be made anew: `changed` are the files that are others now.
pub(super) fn again(before: &Placed, after: &Placed, changed: &BTreeSet<String>) -> Vec<String> {
    let differs = |link: &String| {
        let file = |ending: &str| format!("10-bitbuilder-{link}.{ending}");
        !before.is_settled()
            || before.keys.get(link) != after.keys.get(link)
            || ["netdev", "network"]
                .iter()
                .any(|ending| changed.contains(&file(ending)))
    };
    after
        .keys
        .keys()
        .filter(|link| differs(link))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{load, public_keys, unload};
    use crate::sim::{Call, SimHost};
    use base64ct::{Base64, Encoding};
    use std::fs;
    use std::path::PathBuf;

    const DEVICE: &str = "[NetDev]\nName=wg-shop\nKind=wireguard\n\n[WireGuard]\n\
        PrivateKeyFile=/var/lib/bitbuilder/wireguard/shop.office.key\nListenPort=51820\n";

    struct World {
        _directory: tempfile::TempDir,
        host: SimHost,
        id: Name,
    }

    impl World {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let host = SimHost::open(directory.path()).unwrap();
            let world = Self {
                _directory: directory,
                host,
                id: Name::new("shop").unwrap(),
            };
            world.write("network/10-bitbuilder-wg-shop.netdev", DEVICE);
            world.write(
                "network/10-bitbuilder-wg-shop.network",
                "[Match]\nName=wg-shop\n",
            );
            world
        }

        fn path(&self, file: &str) -> PathBuf {
            self.host.root().current(&self.id).join(file)
        }

        fn write(&self, file: &str, text: &str) {
            fs::create_dir_all(self.path(file).parent().unwrap()).unwrap();
            fs::write(self.path(file), text).unwrap();
        }

        /// How often the link was made anew by loading.
        fn load(&self) -> usize {
            let deletions = || {
                let calls = self.host.calls();
                calls
                    .iter()
                    .filter(|(call, link)| *call == Call::DeleteLinks && link == "wg-shop")
                    .count()
            };
            let before = deletions();
            load(&self.host, &self.id).unwrap();
            deletions() - before
        }

        fn key(&self) -> String {
            public_keys(self.host.root(), &self.id).unwrap()["wg-shop"].clone()
        }
    }

    #[test]
    fn a_link_is_made_anew_when_its_files_or_its_key_change() {
        let world = World::new();
        world.load();
        assert!(world.host.links().unwrap().contains("wg-shop"));
        let key = world.key();
        assert_eq!(world.load(), 0);
        world.write(
            "network/10-bitbuilder-wg-shop.netdev",
            &format!("{DEVICE}# more\n"),
        );
        assert_eq!(world.load(), 1);
        assert_eq!(world.key(), key);

        let after = wireguard::make(&world.host, &world.id, "office").unwrap();
        // It is in force with the link, not before.
        assert_eq!(world.key(), key);
        assert_eq!(world.load(), 1);
        assert_eq!(world.key(), after);
        assert!(world.host.links().unwrap().contains("wg-shop"));
    }

    #[test]
    fn preshared_keys_go_with_the_network_and_the_private_one_stays() {
        let world = World::new();
        let secret = format!("{}\n", Base64::encode_string(&[7; 32]));
        let sealed = Base64::encode_string(secret.as_bytes());
        world.write("wireguard/office.laptop.00ff.psk", &sealed);
        world.load();
        let placed = world
            .host
            .root()
            .wireguard_secrets()
            .join("shop.office.laptop.00ff.psk");
        assert_eq!(fs::read_to_string(&placed).unwrap(), secret);
        let files = wireguard::files(world.host.root(), &world.id).unwrap();
        assert_eq!(files.len(), 2, "{files:?}");

        unload(&world.host, &world.id).unwrap();
        assert!(!world.host.links().unwrap().contains("wg-shop"));
        let left = wireguard::files(world.host.root(), &world.id).unwrap();
        assert_eq!(left.len(), 1, "{left:?}");
        assert!(left[0].ends_with("shop.office.key"));
    }
}
