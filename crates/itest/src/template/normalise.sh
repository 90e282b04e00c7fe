# Runs in the root of a tree: removes what differs between two builds and what a template must not carry.
rm -rf var/cache/apt var/lib/apt var/log var/lib/systemd/random-seed var/lib/dbus/machine-id var/cache/ldconfig/aux-cache
rm -rf var/cache/debconf/*-old var/lib/dpkg/*-old etc/passwd- etc/group- etc/shadow- etc/gshadow- etc/subuid- etc/subgid-
rm -rf run/* tmp/* root/.bash_history boot/* var/tmp/*
find dev -mindepth 1 -delete
find . -xdev -name __pycache__ -prune -exec rm -rf {} +
mkdir -p proc sys dev run tmp var/log/journal var/tmp
chmod 1777 tmp var/tmp
rm -f etc/hostname etc/resolv.conf etc/machine-id
: >etc/machine-id
# os-release(5) wants the file in /usr/lib and a link in /etc; templates have it the other way round.
if [ -L etc/os-release ] && [ -f usr/lib/os-release ]; then
  rm etc/os-release
  mv usr/lib/os-release etc/os-release
  ln -s ../../etc/os-release usr/lib/os-release
fi
# No "update" pass at the first boot: ldconfig, sysusers and the journal's catalogue are as installed.
touch etc/.updated var/.updated
