//! A VM host for one test.

use super::{TestHost, make, must};
use crate::vm::{Vm, Wire};
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

/// A [`TestHost`] with a kernel of its own: what one can do, the other can.
///
/// It does not boot but goes on from a snapshot of a booted host, in seconds; [`stop`](TestHost::stop) or
/// [`crash`](TestHost::crash) and [`boot`](TestHost::boot) are a real boot, and a crash is a power cut.
#[derive(Debug)]
pub struct VmHost {
    vm: Arc<Vm>,
    host: TestHost,
}

impl VmHost {
    /// Makes a host that runs. `name` is the test's: lower-case letters, digits, dashes.
    ///
    /// # Panics
    /// It cannot be made, or does not run.
    #[must_use]
    #[track_caller]
    pub fn new(name: &str) -> Self {
        let host = Self::made(name);
        host.boot();
        host
    }

    /// The same, neither booted nor to go on from a snapshot: its first start is a boot.
    ///
    /// # Panics
    /// It cannot be made.
    #[must_use]
    #[track_caller]
    pub fn stopped(name: &str) -> Self {
        let host = Self::made(name);
        must(host.vm.forget_snapshot());
        host
    }

    #[track_caller]
    fn made(name: &str) -> Self {
        let vm = Arc::new(must(make::vm(name)));
        Self {
            host: TestHost::of(vm.clone()),
            vm,
        }
    }

    /// The directory with its disk, sockets and logs.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        self.vm.directory()
    }

    /// Plugs a cable into this host and another one, both running: `wire0` is the first of a host.
    ///
    /// # Panics
    /// It cannot be plugged in.
    #[must_use]
    #[track_caller]
    pub fn wire<'a>(&'a self, other: &'a Self) -> Wire<'a> {
        must(Wire::between(&self.vm, &other.vm))
    }
}

impl Deref for VmHost {
    type Target = TestHost;

    fn deref(&self) -> &TestHost {
        &self.host
    }
}
