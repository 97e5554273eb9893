#!/bin/sh
# PID 1 of the machine: runs each test of /vm/tests in a mount namespace and an
# empty working directory, undoes what it left, and tells the second serial line
# "ok TOPIC/NAME" or "not ok TOPIC/NAME: WHY", and "done N" after the last one.
set -eu
export PATH=/bin HOME=/ LC_ALL=C
trap 'echo "run.sh: ends with status $?"; reboot -f' EXIT
seconds=60 # for a test

mount -t proc -o nosuid,nodev,noexec proc /proc
read -r uptime _ </proc/uptime
mount -t sysfs -o nosuid,nodev,noexec sys /sys
mount -t securityfs -o nosuid,nodev,noexec security /sys/kernel/security
mount -t bpf -o nosuid,nodev,noexec,mode=700 bpf /sys/fs/bpf
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 /sys/fs/cgroup
mkdir -p /dev/pts /dev/shm
mount -t devpts -o nosuid,noexec,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o nosuid,nodev,mode=1777 shm /dev/shm
mount -t tmpfs -o nosuid,nodev,mode=755 run /run
mount -t tmpfs -o nosuid,nodev,mode=1777 tmp /tmp
ip link set lo up
while read -r module; do
	insmod "/lib/modules/$module"
done </lib/modules/list
tries=0
while ! [ -b /dev/vda ]; do
	tries=$((tries + 1))
	[ "$tries" -lt 50 ] || { echo "run.sh: there is no /dev/vda"; exit 1; }
	sleep 0.1
done

stty -F /dev/ttyS1 115200 raw
say() {
	# Closing waits until all is sent.
	echo "$*" >/dev/ttyS1
}
say "   PID 1 started at $uptime s of uptime"

# Postcondition: no process but this one, no control group but the root's, no
# controller enabled in it, nothing of the test in /tmp. 1 where that cannot be had.
tidy() {
	kill -9 -1 2>/dev/null || true
	rm -f /run/why
	cd /
	tries=0
	while [ -n "$(find /sys/fs/cgroup -mindepth 1 -type d)" ]; do
		find /sys/fs/cgroup -mindepth 1 -depth -type d -exec rmdir {} \; 2>/dev/null || true
		tries=$((tries + 1))
		[ "$tries" -lt 50 ] || return 1
		sleep 0.1
	done
	# The words of one line.
	# shellcheck disable=SC2013
	for controller in $(cat /sys/fs/cgroup/cgroup.subtree_control); do
		echo "-$controller" >/sys/fs/cgroup/cgroup.subtree_control || return 1
	done
	rm -rf /tmp/* /tmp/.[!.]*
}

count=0
for file in /vm/tests/*.sh; do
	topic=$(basename "$file" .sh)
	# Names are words.
	# shellcheck disable=SC2013
	for name in $(sed -n 's/^test_\([a-z0-9_]*\)() {$/\1/p' "$file"); do
		mkdir /tmp/test
		cd /tmp/test
		status=0
		# $1 and $2 are the inner shell's.
		# shellcheck disable=SC2016
		timeout -s KILL "$seconds" unshare -m sh -euxc '. /vm/lib.sh; . "$1"; "$2"' sh "$file" "test_$name" </dev/null >/run/log 2>&1 || status=$?
		why=
		if [ "$status" != 0 ]; then
			why="status $status after: $(grep '^+' /run/log | tail -n 1)"
			[ "$status" != 137 ] || why="killed, as after $seconds s; $why"
			[ ! -s /run/why ] || why=$(cat /run/why)
		fi
		if ! tidy; then
			why="${why:+$why; }what it left cannot be undone"
		fi
		if [ -z "$why" ]; then
			say "ok $topic/$name"
		else
			say "not ok $topic/$name: $why"
			tail -n 60 /run/log | sed 's/^/# /' >/dev/ttyS1
		fi
		count=$((count + 1))
	done
done
say "done $count"
