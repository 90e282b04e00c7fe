# Runs in the root of the tree after the packages are installed.
units=etc/systemd/system
mkdir -p $units/multi-user.target.wants
# host0 gets its address by DHCP: 80-container-host0.network, which systemd ships.
ln -sf /usr/lib/systemd/system/systemd-networkd.service $units/multi-user.target.wants/
# No hugetlbfs in a user namespace, nobody at the console, nothing to ask at the first boot.
for unit in dev-hugepages.mount console-getty.service getty.target systemd-firstboot.service; do
  rm -f $units/*.wants/$unit
  ln -sf /dev/null $units/$unit
done
rm -f $units/*.wants/e2scrub_reap.service $units/timers.target.wants/*
# Applets that commands of small containers call by name.
for applet in httpd nc ping telnet vi wget; do
  [ -e usr/bin/$applet ] || ln -s busybox usr/bin/$applet
done
