//! What a container host is made of.

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

/// What hosts with virtual machines, disk images and wireguard need beside that.
const MACHINES: &[&str] = &[
    "systemd-homed",
    "systemd-repart",
    "systemd-boot",
    "systemd-ukify",
    "dosfstools",
    "mtools",
    "cryptsetup-bin",
    "dmsetup",
    "qemu-system-x86",
    "ovmf",
    "virtiofsd",
    "swtpm",
    "wireguard-tools",
    "uidmap",
    "gnupg",
    "xz-utils",
    "cpio",
    "linux-image-amd64",
];

/// A host that runs containers.
#[must_use]
pub fn container_host() -> Recipe {
    recipe(&[CONTAINER_HOST])
}

/// A host that runs virtual machines too; about twice the size.
#[must_use]
pub fn machine_host() -> Recipe {
    recipe(&[CONTAINER_HOST, MACHINES])
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
