#!/bin/sh
# named on port 53 without privilege: a cage, a plan, an answer, and what every
# thread of it may; then the same in a root that hardrun makes itself. Needs root and what setup.sh demo installs. All of it happens
# in namespaces of its own; nothing is left behind.
set -eu
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin
hardrun=$PWD/bin/hardrun

fail() {
	echo "demo: $*" >&2
	exit 1
}

if [ "${1-}" != inside ]; then
	[ "$(uname -s)" = Linux ] || fail "this demo needs Linux; on other systems hardrun is the portable part"
	[ "$(id -u)" = 0 ] || fail "needs root, to make namespaces and to become the user bind"
	for tool in named dig capsh ip unshare; do
		command -v "$tool" >/dev/null || fail "$tool is not here; as root, 'make demo' installs it on Debian"
	done
	[ -x "$hardrun" ] || fail "bin/hardrun is not here: run make"
	id bind >/dev/null 2>&1 || fail "the user bind is not here; Debian's bind9 makes it"
	dir=$(mktemp -d /tmp/hardrun-demo.XXXXXX)
	trap 'rm -rf "$dir"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	chmod 755 "$dir"
	# An own network, so that port 53 is free; own mounts; own processes, which
	# end with the first of them whatever happens.
	unshare --net --mount --pid --fork --kill-child --mount-proc sh "$0" inside "$dir"
	exit
fi

dir=$2
cage=$dir/cage
show() {
	echo
	echo "\$ $*"
	"$@"
}

[ "$(cat /proc/1/comm)" = sh ] || fail "not in a process namespace of its own"
ip link set lo up

echo "== 1. A cage: what named needs, and nothing else"
# named's own -t and -u are not used: the root and the user are hardrun's work.
show "$hardrun" cage "$cage" --user=bind -- named -f >"$dir/cage.txt" || fail "no cage"
sed -n '1,2p' "$dir/cage.txt"
echo "  … ($(grep -c '^  made' "$dir/cage.txt") entries)"
sed -n '/^not known/,$p' "$dir/cage.txt" | head -n 4
echo "  … ($(sed '1,/^not known/d' "$dir/cage.txt" | wc -l) notes on what a copy cannot know)"

mkdir -p "$cage/etc/bind" "$cage/var/cache/bind"
chown bind: "$cage/var/cache/bind"
cat >"$cage/etc/bind/named.conf" <<'CONF'
options {
	directory "/var/cache/bind";
	listen-on { 127.0.0.1; };
	listen-on-v6 { none; };
	recursion no;
	dnssec-validation no;
	notify no;
};
controls { };
zone "hardrun.test" { type primary; file "/etc/bind/hardrun.test.zone"; };
CONF
cat >"$cage/etc/bind/hardrun.test.zone" <<'ZONE'
$TTL 60
@	IN SOA	ns.hardrun.test. hostmaster.hardrun.test. ( 1 3600 600 86400 60 )
	IN NS	ns.hardrun.test.
ns	IN A	127.0.0.1
www	IN A	192.0.2.53
	IN TXT	"answered from a cage"
ZONE

set -- --user=bind --caps=net_bind_service --no-new-privs --chroot="$cage" -- named -f -4 -n 2 -c /etc/bind/named.conf
echo
echo "== 2. The plan: every step, in its order, and who asked for it"
show "$hardrun" plan "$@"

# launch OPTION... -- COMMAND: starts it as $pid, and waits until it answers.
launch() {
	echo
	echo "\$ hardrun $* &"
	"$hardrun" "$@" >"$dir/named.log" 2>&1 &
	pid=$!
	answer=
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		if ! kill -0 "$pid" 2>/dev/null; then
			cat "$dir/named.log" >&2
			fail "named ended"
		fi
		answer=$(dig @127.0.0.1 +short +time=1 +tries=1 www.hardrun.test A 2>/dev/null) && [ -n "$answer" ] && break
		sleep 0.5
	done
	[ "$answer" = 192.0.2.53 ] || {
		cat "$dir/named.log" >&2
		fail "named answered '$answer', not 192.0.2.53"
	}
	echo "pid $pid, as the shell started it; its name is $(cat "/proc/$pid/comm")"
	[ "$(cat "/proc/$pid/comm")" = named ] || fail "process $pid is not named"
}

# stop ends it, and holds its status.
stop() {
	kill "$pid"
	status=0
	wait "$pid" || status=$?
	[ "$status" = 0 ] || fail "named ended with status $status after SIGTERM"
}

# held LINE...: every thread of $pid has these lines in its status.
held() {
	grep -hE '^(Uid|Gid|Groups|NoNewPrivs|Cap[A-Z][a-z]+):' "/proc/$pid/task/"*/status | sort | uniq -c >"$dir/status.txt"
	threads=$(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 | wc -l)
	for want in "$@"; do
		awk -v want="$threads $want" '{ $1 = $1; if ($0 == want) found = 1 } END { exit !found }' "$dir/status.txt" ||
			fail "not all of the $threads threads have $want"
	done
}
uid=$(id -u bind) gid=$(id -g bind)

echo
echo "== 3. The launch: hardrun becomes named"
launch "$@"

echo
echo "== 4. A question"
show dig @127.0.0.1 +noall +answer www.hardrun.test A
show dig @127.0.0.1 +noall +answer www.hardrun.test TXT

echo
echo "== 5. What it may: all its threads"
held "Uid: $uid $uid $uid $uid" "Gid: $gid $gid $gid $gid" "Groups: $gid" "NoNewPrivs: 1" \
	"CapInh: 0000000000000400" "CapPrm: 0000000000000400" "CapEff: 0000000000000400" \
	"CapBnd: 0000000000000400" "CapAmb: 0000000000000400"
echo
echo "\$ grep -hE '^(Uid|Gid|Groups|NoNewPrivs|Cap…):' /proc/$pid/task/*/status | sort | uniq -c"
cat "$dir/status.txt"
show capsh --decode="$(sed -n 's/^CapBnd:[[:space:]]*//p' "/proc/$pid/status")"
show ls "/proc/$pid/root/"
stop
caged=$threads

echo
echo "== 6. The same without a cage: hardrun makes the root, and it is gone with named"
# Only what the host has of named is left: its program. The configuration is given
# read-only, and what named writes to is in memory.
mv "$cage/etc/bind" "$dir/bind"
rm -rf "$cage"
memory=mode=0755,uid=$uid,gid=$gid
launch --minimal-root --ro-bind="$dir/bind:/etc/bind" --tmpfs="/var/cache/bind:$memory" --tmpfs="/run/named:$memory" \
	--user=bind --caps=net_bind_service --no-new-privs -- named -f -4 -n 2 -c /etc/bind/named.conf
show dig @127.0.0.1 +noall +answer www.hardrun.test A
show ls "/proc/$pid/root/" "/proc/$pid/root/etc/" "/proc/$pid/root/usr/sbin/"
show cat "/proc/$pid/root/etc/passwd"
echo
echo "… and to write there is refused, even to the root of this machine:"
echo
echo "\$ touch /proc/$pid/root/etc/new"
if touch "/proc/$pid/root/etc/new"; then
	fail "the root of named can be written to"
fi 2>&1
held "Uid: $uid $uid $uid $uid" "Groups: $gid" "NoNewPrivs: 1" "CapPrm: 0000000000000400" "CapBnd: 0000000000000400"
stop
echo
echo "demo: $caged threads in the cage and $threads in the root of their own, each with cap_net_bind_service alone; named is stopped, nothing is left behind"
