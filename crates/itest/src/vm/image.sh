# Runs in a mount namespace of its own, as root: makes the disk of VM hosts.
# Arguments: TREE TARGET SIZE RUNNER TUNE_SCRIPT, then NAME and DIRECTORY of each template
tree=$1 target=$2 size=$3 runner=$4 tune=$5
shift 5
# The tree stays as it is: what is changed goes to memory.
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o "lowerdir=$tree,upperdir=/mnt/upper,workdir=/mnt/work" overlay /mnt/root
install -D -m 755 "$runner" /mnt/root/usr/lib/bed/runner
(cd /mnt/root && sh -euc "$tune")
while [ $# -gt 0 ]; do
  mkdir -p "/mnt/root/usr/lib/bitbuilder/templates/$1"
  mount --bind "$2" "/mnt/root/usr/lib/bitbuilder/templates/$1"
  shift 2
done
truncate -s "$size" "$target"
mkfs.ext4 -q -m 0 -d /mnt/root "$target"
