# Runs in the root of a tree that the container host's tuning has seen: makes it a VM host's.
echo bed >etc/hostname
# Of the snapshot only: each host gets one of its own.
echo 00000000000000000000000000000bed >etc/machine-id
# nsresourced: without KVM the kernel's check of its programs takes 20 s at every boot. A test that needs it unmasks it.
for unit in systemd-nsresourced.socket systemd-nsresourced.service getty.target serial-getty@ttyS0.service; do
  rm -f "etc/systemd/system/"*".wants/$unit"
  ln -sf /dev/null "etc/systemd/system/$unit"
done
# A loaded machine without KVM is slow, and that is nothing that a test looks for.
mkdir -p etc/systemd/system.conf.d etc/systemd/system/sysinit.target.wants etc/systemd/network
printf '[Manager]\nDefaultTimeoutStartSec=10min\nDefaultDeviceTimeoutSec=10min\n' >etc/systemd/system.conf.d/bed.conf

# The world outside of the host is a network namespace: no packet leaves the host.
cat >usr/lib/bed/outside <<'END'
#!/bin/sh -eu
ip netns add outside
ip link add up0 type veth peer name wire netns outside
ip -n outside link set lo up
ip -n outside address add 198.18.0.1/16 dev wire
ip -n outside link set wire up
END
chmod 755 usr/lib/bed/outside
cat >etc/systemd/network/10-uplink.network <<'END'
[Match]
Name=up0
[Link]
RequiredForOnline=no
[Network]
Address=198.18.1.1/16
Gateway=198.18.0.1
END
# Wires between hosts are called by the slot that they are plugged into.
for number in 0 1 2 3 4 5 6 7; do
  printf '[Match]\nPath=pci-0000:00:1%s.0\n[Link]\nName=wire%s\n' $number $number >"etc/systemd/network/10-wire$number.link"
done
cat >etc/systemd/system/bed-outside.service <<'END'
[Unit]
Description=The world outside of this host
DefaultDependencies=no
After=local-fs.target
Before=network-pre.target bed-runner.service
Wants=network-pre.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/lib/bed/outside
END
# As early as can be: what hangs in a boot can be looked at.
cat >etc/systemd/system/bed-runner.service <<'END'
[Unit]
Description=Runs what comes over the channels of the bed
DefaultDependencies=no
Wants=bed-outside.service
[Service]
ExecStart=/usr/lib/bed/runner
KillMode=process
Restart=always
OOMScoreAdjust=-1000
END
ln -sf ../bed-runner.service etc/systemd/system/sysinit.target.wants/
