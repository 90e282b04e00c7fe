# Runs in the root of a fresh tree: makes a Debian tree a container host that boots without failed units.
rm -rf run/* tmp/* var/log/journal/* var/lib/systemd/random-seed var/lib/apt/lists/*
rm -f etc/machine-id etc/hostname
: >etc/machine-id
# Masked: consoles and gettys (a vhangup of /dev/console only makes trouble), what is global to the machine, what is slow.
for unit in console-getty.service getty@tty1.service systemd-binfmt.service proc-sys-fs-binfmt_misc.automount \
  systemd-pstore.service systemd-boot-update.service pesign.service tpm-udev.path e2scrub_reap.service e2scrub_all.timer \
  fstrim.timer ssh.service ssh.socket apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer; do
  rm -f etc/systemd/system/*.wants/$unit
  ln -sf /dev/null etc/systemd/system/$unit
done
# An ssh server only where a test starts one.
mkdir -p etc/systemd/system-generators
ln -sf /dev/null etc/systemd/system-generators/systemd-ssh-generator
# Debian leaves these off.
mkdir -p etc/systemd/system/multi-user.target.wants etc/systemd/system/sockets.target.wants
ln -sf /usr/lib/systemd/system/systemd-networkd.service etc/systemd/system/multi-user.target.wants/
for socket in networkd networkd-varlink nsresourced mountfsd sysext importd; do
  if [ -e usr/lib/systemd/system/systemd-$socket.socket ]; then
    ln -sf /usr/lib/systemd/system/systemd-$socket.socket etc/systemd/system/sockets.target.wants/
  fi
done
ln -sf ../run/systemd/resolve/stub-resolv.conf etc/resolv.conf
mkdir -p var/log/journal etc/udev/rules.d
# Loop partitions are reached through symlinks into a read-only devtmpfs: udev must not try to chown them.
echo 'SUBSYSTEM=="block", KERNEL=="loop*p*", OWNER:="root", GROUP:="root", MODE:="0600"' >etc/udev/rules.d/00-bed.rules
# No ldconfig, sysusers or hwdb pass at the first boot.
touch -r usr etc/.updated var/.updated
