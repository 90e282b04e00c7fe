# Supervisor of one host: outside of its PID namespace, in the holder's network namespace and a mount namespace of its own.
# Arguments: LAB TREE CGROUP WIRE_PREFIX INIT_SCRIPT
lab=$1 tree=$2 cgroup=$3 prefix=$4 init=$5
host=$lab/run/hosts/$tree cg=$lab/run/cg/$cgroup status=0
mkdir -p "$cg" "$host/root"
echo $$ >"$cg/cgroup.procs"
mount --rbind "$lab/pool/$tree" "$host/root"
# /dev/console has to be a TTY or PID 1 is mute. script(1) holds a pty; its child ignores the SIGHUP of a vhangup.
script -qfc "trap '' HUP; tty >'$host/tty'; exec sleep infinity" "$host/console.log" </dev/null >/dev/null 2>&1 &
console=$!
wait_for() { # FILE: at most 10 s
  tries=0
  until [ -s "$1" ]; do
    tries=$((tries + 1))
    [ $tries -lt 1000 ] || { echo "no $1"; return 1; }
    sleep .01
  done
}
wait_for "$host/tty"
ip() { chroot "$lab/tools" ip "$@"; }
# Once per boot: unshare exits with 129 (SIGHUP) after reboot(), 130 after a power off, 137 when PID 1 was killed.
while :; do
  rm -f "$host/pid" "$host/go" "$host/up"
  status=0
  unshare --fork --kill-child --pid --mount --net --uts --ipc --cgroup --propagation private -- \
    /bin/sh -eu "$init" "$lab" "$tree" &
  child=$!
  wait_for "$host/pid"
  read -r pid start <"$host/pid"
  ip link del "$prefix-up0" 2>/dev/null || : # the old end lives until the kernel has reaped the old namespace
  ip link add "$prefix-up0" master wire type veth peer name up0 netns "$pid"
  ip link set "$prefix-up0" up
  echo go >"$host/go"
  wait $child || status=$?
  [ $status = 129 ] || break
done
rm -f "$host/pid"
kill $(cat /proc/$console/task/$console/children) || :
wait $console || :
echo $$ >"$lab/run/cg/cgroup.procs"
find "$cg" -depth -type d -exec rmdir {} \; || :
echo $status >"$host/exit"
