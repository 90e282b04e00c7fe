//! What hosts are made of.

use crate::debian::Recipe;

/// Debian suite of the hosts: systemd 262.
pub const SUITE: &str = "forky";

/// A container host, and the tools that tests look at it with.
const CONTAINER_HOST: &[&str] = &[
    "systemd-sysv",
    "systemd-container",
    "systemd-resolved",
    "systemd-userdbd",
    "udev",
    "mount",
    "dbus",
    "polkitd",
    "libpam-systemd",
    "libnss-systemd",
    "libnss-resolve",
    "libnss-mymachines",
    // Loaded when they are there: without libseccomp2 every SystemCallFilter= is silently off.
    "libseccomp2",
    "libapparmor1",
    "libbpf1",
    "libkmod2",
    "libcurl4t64",
    "libfdisk1",
    "btrfs-progs",
    "e2fsprogs",
    "erofs-utils",
    "squashfs-tools",
    "iproute2",
    "nftables",
    "iputils-ping",
    "iputils-arping",
    "ca-certificates",
    "openssl",
    "git",
    "openssh-client",
    "openssh-server",
    "curl",
    "sqv",
    "jq",
    "python3",
    "procps",
    "strace",
    "less",
    "zstd",
    "busybox-static",
];

/// What container hosts have beside that: what runs virtual machines.
const MACHINES: &[&str] = &["qemu-system-x86"];

/// What VM hosts have instead: a kernel, and the tools for what only it can do.
const VM_HOST: &[&str] = &[
    "linux-image-amd64",
    "kmod",
    "wireguard-tools",
    "cryptsetup-bin",
    "dmsetup",
];

/// The program that VM hosts run in.
const QEMU: &[&str] = &["qemu-system-x86", "qemu-utils"];

/// A host that runs containers, and virtual machines without KVM.
#[must_use]
pub fn container_host() -> Recipe {
    recipe(&[CONTAINER_HOST, MACHINES])
}

/// The same with a kernel of its own.
#[must_use]
pub fn vm_host() -> Recipe {
    recipe(&[CONTAINER_HOST, VM_HOST])
}

/// A tree for the sake of its programs: nothing boots from it.
#[must_use]
pub fn qemu() -> Recipe {
    Recipe {
        finish: String::new(),
        ..recipe(&[QEMU])
    }
}

fn recipe(lists: &[&[&str]]) -> Recipe {
    Recipe {
        suite: SUITE,
        packages: lists.concat().into_iter().map(str::to_owned).collect(),
        excluded: &[
            "/usr/share/man/*",
            "/usr/share/doc/*",
            "/usr/share/locale/*",
            "/usr/share/info/*",
        ],
        included: &[],
        epoch: None,
        finish: include_str!("tune.sh").to_owned(),
    }
}
