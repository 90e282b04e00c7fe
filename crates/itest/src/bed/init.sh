# Becomes PID 1 of a host. Arguments: LAB TREE
lab=$1 tree=$2
host=$lab/run/hosts/$tree root=$host/root
# /proc is still the outer one: our PID as seen from outside, and when it started.
read -r stat </proc/self/stat
set -- $stat
echo "$1 ${22}" >"$host/pid"
hostname "${tree#host-}"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
# Writable: udevd, networkd and nested containers want it.
mount -t sysfs -o nosuid,nodev,noexec sysfs "$root/sys"
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$root/sys/fs/cgroup"
# PID 1 looks here for the bpf LSM.
mount -t securityfs -o nosuid,nodev,noexec securityfs "$root/sys/kernel/security" || :
mount -t bpf -o nosuid,nodev,noexec,mode=700 bpf "$root/sys/fs/bpf" || :
# A private /dev. Behind symlinks for loop PARTITIONS, a read-only mount of the real devtmpfs: the kernel makes those nodes
# only there, and systemd opens /dev/loopNpM right after BLKPG_ADD_PARTITION, when udev would be too late.
mount -t tmpfs -o mode=755,nosuid tmpfs "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/net" "$root/dev/mqueue" "$root/dev/mapper" "$root/dev/.host"
mount -t devtmpfs devtmpfs "$root/dev/.host"
mount -o remount,bind,ro "$root/dev/.host"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/dev/shm"
cp -a "$lab/run/dev/." "$root/dev/"
: >"$root/dev/console"
read -r tty <"$host/tty"
mount --bind "$tty" "$root/dev/console"
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$root/run"
mkdir -p "$root/run/host"
echo bitbuilder-bed >"$root/run/host/container-manager"
# Sysctls that are global to the kernel are read-only, net.* is ours. A boot id of our own: the kernel's is the same at
# every boot of every host, and the journal could not tell boots apart.
cat /proc/sys/kernel/random/uuid >"$root/run/host/boot_id"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount --bind "$root/run/host/boot_id" "$root/proc/sys/kernel/random/boot_id"
mount --bind "$root/proc/sys/net" "$root/proc/sys/net"
mount -o remount,bind,rw "$root/proc/sys/net"
tries=0
until [ -e "$host/go" ]; do
  tries=$((tries + 1))
  [ $tries -lt 2000 ] || { echo "no go"; exit 1; }
  sleep .005
done
mkdir -p "$root/mnt/.old"
cd "$root"
pivot_root . mnt/.old
: >"/mnt/.old$host/up"
# rshared: in a container systemd leaves propagation alone, and sysext, portable and mountfsd need it shared.
exec env -i container=bitbuilder-bed TERM=dumb PATH=/usr/sbin:/usr/bin:/sbin:/bin /bin/sh -c \
  'umount -l /mnt/.old; rmdir /mnt/.old; mount --make-rshared /; exec /usr/lib/systemd/systemd --show-status=1 >/dev/null 2>&1 </dev/null'
