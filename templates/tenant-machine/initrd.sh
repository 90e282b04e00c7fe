#!/bin/busybox sh
# PID 1 of the initrd: mounts the partition that `root=PARTUUID=` names, and hands over.
PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in /modules/*; do insmod "$module"; done
for word in $(cat /proc/cmdline); do
  case $word in root=PARTUUID=*) wanted=${word#root=PARTUUID=} ;; esac
done
root=
while [ -z "$root" ]; do
  for device in /sys/class/block/*/uevent; do
    if grep -qi "^PARTUUID=$wanted\$" "$device"; then
      root=/dev/$(basename "${device%/uevent}")
    fi
  done
  [ -n "$root" ] || sleep .05
done
mount -t ext4 -o rw "$root" /root
umount /proc /sys
mount --move /dev /root/dev
exec switch_root /root /usr/lib/systemd/systemd
