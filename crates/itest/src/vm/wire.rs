//! Network cables between hosts.

use super::Vm;
use crate::cache;
use crate::host::Host;
use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Slot of the first one; the disk's tuning names the interfaces by their slots.
const FIRST_SLOT: usize = 0x10;
/// Hexadecimal digits of a slot that the tuning knows.
const MOST: usize = 8;

/// One end of a wire, in a host. Plugged in for good: it is there after the next boot too.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct End {
    /// Socket between the two, below the cache.
    pub(super) socket: String,
    /// Listens on it; the other end connects, again and again.
    pub(super) listens: bool,
    pub(super) mac: String,
    pub(super) up: bool,
}

impl End {
    /// QEMU's end of the cable.
    pub(super) fn backend(&self, number: usize) -> Value {
        let mut backend = json!({
            "type": "stream", "id": backend_id(number), "server": self.listens,
            "addr": { "type": "unix", "path": self.socket },
        });
        if !self.listens {
            backend["reconnect-ms"] = json!(100);
        }
        backend
    }

    /// The network card that the cable is in.
    pub(super) fn device(&self, number: usize) -> Value {
        json!({
            "driver": "virtio-net-pci", "id": card_id(number), "netdev": backend_id(number),
            "mac": self.mac, "romfile": "", "addr": format!("{:x}", FIRST_SLOT + number),
        })
    }
}

fn backend_id(number: usize) -> String {
    format!("cable{number}")
}

pub(super) fn card_id(number: usize) -> String {
    format!("card{number}")
}

/// A cable between two hosts that run: `wire0`, `wire1` ... in the order in which they are plugged into a host.
#[derive(Debug)]
pub struct Wire<'a> {
    ends: [(&'a Vm, usize); 2],
}

impl<'a> Wire<'a> {
    /// Plugs a cable into both; its interfaces have no addresses.
    ///
    /// # Errors
    /// A host does not run, or has eight cables.
    pub fn between(one: &'a Vm, other: &'a Vm) -> Result<Self> {
        let numbers = [one.wires()?, other.wires()?];
        let socket = format!("vm/wires/{}-{}", one.name(), numbers[0]);
        let plug = |vm: &Vm, number: usize, listens: bool| {
            anyhow::ensure!(number < MOST, "{} has {MOST} wires", vm.name());
            let end = End {
                socket: socket.clone(),
                listens,
                mac: mac(&socket, listens),
                up: true,
            };
            vm.plug(number, end)
        };
        plug(one, numbers[0], true)?;
        plug(other, numbers[1], false)?;
        Ok(Self {
            ends: [(one, numbers[0]), (other, numbers[1])],
        })
    }

    /// Name of the interface at each end.
    #[must_use]
    pub fn interfaces(&self) -> [String; 2] {
        self.ends.map(|(_, number)| interface(number))
    }

    /// Cuts the cable (`false`) or joins it: inside, the interfaces lose their carrier or get it back.
    ///
    /// # Errors
    /// A host does not run.
    pub fn set(&self, up: bool) -> Result<()> {
        for (vm, number) in self.ends {
            vm.set_wire(number, up)?;
        }
        Ok(())
    }
}

pub(super) fn interface(number: usize) -> String {
    format!("wire{number}")
}

/// An address of QEMU's range, the same in each run.
fn mac(socket: &str, listens: bool) -> String {
    let key = cache::key([socket.as_bytes(), &[u8::from(listens)]]);
    format!("52:54:00:{}:{}:{}", &key[..2], &key[2..4], &key[4..6])
}
