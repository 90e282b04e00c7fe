# Runs in a mount and a network namespace of its own and stays: private mounts of the pool and of the tools, and the wire
# between hosts. Nothing outside sees any of it.
# Arguments: LAB ROOTFS POOL_SIZE
lab=$1 rootfs=$2 size=$3 run=$1/run
mkdir -p "$lab/pool" "$lab/tools" "$run/cg"
mount --bind "$rootfs" "$lab/tools"
mount -t proc proc "$lab/tools/proc"
mount --rbind /dev "$lab/tools/dev"
mount -t tmpfs tmpfs "$lab/tools/mnt"
mkdir "$lab/tools/mnt/lab"
mount --bind "$lab" "$lab/tools/mnt/lab"
if [ ! -e "$lab/pool.btrfs" ]; then
  rm -f "$lab/pool.partial"
  truncate -s "$size" "$lab/pool.partial"
  chroot "$lab/tools" mkfs.btrfs -q -m single -d single /mnt/lab/pool.partial
  mv "$lab/pool.partial" "$lab/pool.btrfs"
fi
loop=$(losetup -f --show "$lab/pool.btrfs")
mount -o compress=zstd:1,noatime "$loop" "$lab/pool"
losetup -d "$loop" # lazy: freed with the last mount
mount --bind "$lab/pool" "$lab/tools/mnt/lab/pool"
mount -t cgroup2 cgroup2 "$run/cg"

# /dev of every host, made once.
dev=$run/dev
rm -rf "$dev"
mkdir -p "$dev/net"
node() { mknod -m "$1" "$dev/$2" "$3" "$4" "$5"; }
node 666 null c 1 3
node 666 zero c 1 5
node 666 full c 1 7
node 666 random c 1 8
node 666 urandom c 1 9
node 666 tty c 5 0
node 666 fuse c 10 229
node 666 net/tun c 10 200
node 660 loop-control c 10 237
node 660 btrfs-control c 10 234
i=0
while [ $i -lt 64 ]; do
  node 660 "loop$i" b 7 $i
  p=1
  while [ $p -le 8 ]; do ln -s ".host/loop${i}p$p" "$dev/loop${i}p$p"; p=$((p + 1)); done
  i=$((i + 1))
done
ln -s pts/ptmx "$dev/ptmx"
ln -s /proc/self/fd "$dev/fd"
ln -s fd/0 "$dev/stdin"
ln -s fd/1 "$dev/stdout"
ln -s fd/2 "$dev/stderr"

# The holder is the world outside of the hosts: 198.18.0.0/15 is for tests of network devices (RFC 2544).
chroot "$lab/tools" /bin/sh -euc 'ip link set lo up; ip link add wire type bridge; ip link set wire up; ip address add 198.18.0.1/16 dev wire'
read -r stat </proc/self/stat
set -- $stat
echo "$1 ${22}" >"$run/holder.pid"
exec sleep infinity
