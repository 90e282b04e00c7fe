//! VM hosts: the same Debian tree with a kernel of its own, in QEMU. Nothing here needs root but making the disk once, and
//! everything of a real machine is there: modules, cgroup controllers, device mapper.
//!
//! - [`Qemu`]: the program, from a tree of its own, started without privileges;
//! - [`kvm`]: whether this machine really has KVM;
//! - [`Image`]: kernel, initrd and disk;
//! - [`Snapshot`]: a booted host, from which others go on in less than a second;
//! - [`VmSystem`]: hosts with our package on them;
//! - [`Vm`]: one host;
//! - [`Wire`]: a network cable between two;
//! - [`protocol`], `channel`: commands in, results out.
//!
//! All of it is in `vm/` of the cache: `images/`, `snapshots/`, `hosts/`. QEMU's working directory is the cache and every path
//! that it gets is relative: it has no privileges, and the cache of root is below a directory that only root may enter.

mod channel;
mod host;
mod image;
pub(crate) mod initrd;
pub mod kvm;
pub mod protocol;
mod qemu;
mod qmp;
mod snapshot;
mod state;
mod system;
mod terminal;
mod wire;

pub use host::Vm;
pub use image::Image;
pub use qemu::Qemu;
pub use snapshot::Snapshot;
pub use system::VmSystem;
pub use wire::Wire;

use anyhow::Result;
use std::path::Path;

/// Makes the directories of VM hosts below the cache. What root made, others may add to.
///
/// # Errors
/// They cannot be made.
fn directories(cache: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    for name in ["images", "snapshots", "hosts", "wires"] {
        let directory = cache.join("vm").join(name);
        if !directory.exists() {
            std::fs::create_dir_all(&directory)?;
            std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o1777))?;
        }
    }
    Ok(())
}
