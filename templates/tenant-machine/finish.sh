# Runs in the root of the tree after the packages are installed.
units=etc/systemd/system
mkdir -p $units/multi-user.target.wants $units/sockets.target.wants etc/systemd/network usr/lib/repart.d
for service in systemd-networkd.service systemd-resolved.service; do
  ln -sf /usr/lib/systemd/system/$service $units/multi-user.target.wants/
done
# Every card asks by DHCP. Its addresses are made of its MAC address: packet rules let no others pass.
cat >etc/systemd/network/80-dhcp.network <<'END'
[Match]
Type=ether

[Network]
DHCP=yes
IPv6LinkLocalAddressGenerationMode=eui64

[DHCPv4]
ClientIdentifier=mac
UseHostname=no

[IPv6AcceptRA]
Token=eui64
END
# The root file system grows with the disk.
printf '[Partition]\nType=root\n' >usr/lib/repart.d/50-root.conf
printf '/dev/vda1 / ext4 rw,x-systemd.growfs 0 1\n' >etc/fstab
# The host's root has its terminal (`bbctl console`); the serial line is for reading.
mkdir -p $units/serial-getty@hvc0.service.d
cat >$units/serial-getty@hvc0.service.d/autologin.conf <<'END'
[Service]
ExecStart=
ExecStart=-/usr/sbin/agetty --autologin root --noclear --keep-baud 115200,57600,38400,9600 - $TERM
END
# Nothing to ask at the first boot, and nothing that a small machine waits for.
for unit in serial-getty@ttyS0.service getty@tty1.service dev-hugepages.mount systemd-firstboot.service \
  systemd-networkd-wait-online.service systemd-hibernate-clear.service modprobe@drm.service; do
  rm -f $units/*.wants/$unit
  ln -sf /dev/null $units/$unit
done
rm -f $units/*.wants/e2scrub_reap.service $units/timers.target.wants/*
for applet in httpd nc ping telnet vi wget; do
  [ -e usr/bin/$applet ] || ln -s busybox usr/bin/$applet
done
