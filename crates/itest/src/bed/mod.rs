//! Container hosts: a Debian tree with a current systemd as PID 1, in mount, PID, network, UTS, IPC and cgroup namespaces
//! of its own, on a machine whose own PID 1 may be anything. There is no user namespace: root inside has every capability.
//!
//! - [`recipe`]: what a host is made of;
//! - [`Lab`]: the ground that hosts stand on: a btrfs pool of their trees, and a *holder*, a small process whose private
//!   mount and network namespaces carry everything that is mounted or wired outside of the hosts;
//! - [`Bed`]: one host: create from a snapshot, start, enter, crash, boot again, destroy;
//! - [`Process`]: processes that outlive the program that started them.
//!
//! Three shell scripts are the ends of it that run between namespaces: `holder.sh`, `supervise.sh`, `init.sh`.

mod host;
mod lab;
mod process;
pub mod recipe;

pub use host::Bed;
pub use lab::Lab;
pub use process::Process;
