#!/bin/sh
# Holds one lab (see lab.ts) for as long as standard input stays open, then removes every trace of it.
#
#   holder.sh DIRECTORY CGROUP
#
# The shell that stays outside is the lab's janitor. Inside, PID 1 reads standard input; the other end is the test
# process. When that process ends, in whatever way, PID 1 sees end-of-file and exits, the kernel kills every
# process of the PID namespace and drops the network and mount namespaces, and the janitor removes what has a name
# outside: the directory and the control groups.
set -eu

inside() {
  echo lab-host > /proc/sys/kernel/hostname

  # Fresh /run: no socket, PID file or named namespace of the machine is visible.
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir -p /run/lock /run/netns /run/etc/upper /run/etc/work

  # sysfs shows the network devices of the namespace it was mounted in; the control groups below it are kept.
  mkdir /run/sys
  mount -t sysfs sysfs /run/sys
  mount --rbind /sys/fs/cgroup /run/sys/fs/cgroup
  mount --move /run/sys /sys
  rmdir /run/sys

  # Changes to /etc stay here, and the files that containers get copies of refer to nothing real.
  mount -t overlay -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work overlay /etc
  rm -f /etc/resolv.conf /etc/hosts /etc/hostname
  printf 'nameserver 198.51.100.2\nsearch lab.example\n' > /etc/resolv.conf
  printf '127.0.0.1\tlocalhost\n198.51.100.1\tlab-host\n' > /etc/hosts
  echo lab-host > /etc/hostname

  # The rest of the world: a second namespace behind eth0 which has no route back to any container subnet.
  : > /run/netns/outside
  unshare --net=/run/netns/outside ip link set lo up
  ip -batch - << 'EOF'
link set lo up
link add eth0 type veth peer name eth0 netns outside
EOF
  # Without duplicate address detection the addresses answer at once instead of after a second.
  echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad
  nsenter --net=/run/netns/outside sh -c '
    echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad
    exec ip -batch -' << 'EOF'
address add 198.51.100.2/24 dev eth0
address add 2001:db8::2/64 dev eth0
link set eth0 up
EOF
  ip -batch - << 'EOF'
address add 198.51.100.1/24 dev eth0
address add 2001:db8::1/64 dev eth0
link set eth0 up
route add default via 198.51.100.2
route add default via 2001:db8::2
EOF

  echo ready
  # SIGCHLD ignored: the kernel reaps orphans (conmon and the like) by itself.
  exec env --ignore-signal=CHLD cat
}

remove_cgroups() {
  for tree in /sys/fs/cgroup/"$1" /sys/fs/cgroup/*/"$1"; do
    [ -d "$tree" ] || continue
    find "$tree" -depth -type d -exec rmdir {} + 2> /dev/null || :
    [ ! -d "$tree" ] || left=yes
  done
}

# What is left frozen does not die with the lab's PID 1, which would wait for it for ever.
thaw() {
  for file in /sys/fs/cgroup/freezer/"$1"/freezer.state /sys/fs/cgroup/freezer/"$1"/*/freezer.state; do
    [ ! -f "$file" ] || echo THAWED > "$file"
  done
  for file in /sys/fs/cgroup/"$1"/cgroup.freeze /sys/fs/cgroup/"$1"/*/cgroup.freeze; do
    [ ! -f "$file" ] || echo 0 > "$file"
  done
}

if [ "$1" = inside ]; then
  inside
fi

directory=$1
cgroup=$2
trap '' HUP INT TERM
status=0
# Sees the end of standard input as PID 1 does; nobody's child, so that the janitor's only one is the lab.
(
  exec 3<&0
  (while read -r _; do :; done; thaw "$cgroup") <&3 > /dev/null 2>&1 &
)
unshare --net --mount --uts --ipc --pid --fork --mount-proc --propagation private \
  sh "$0" inside || status=$?

# A control group may stay busy for a moment after its last process is gone.
for _ in 1 2 3 4 5 6 7 8 9 10; do
  left=no
  remove_cgroups "$cgroup"
  [ "$left" = yes ] || break
  sleep 0.1
done
rm -rf --one-file-system "$directory"
exit "$status"
