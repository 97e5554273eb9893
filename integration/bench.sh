#!/bin/sh
# Launches of true next to their peers, interleaved in one run. Quote the ratios
# only: absolute times are those of one machine at one moment. ROUNDS=300 sets
# how often each runs.
set -eu
cd "$(dirname "$0")/.."

# firejail leaves mounts of its own behind: they go with this namespace.
if [ "$(id -u)" = 0 ] && [ -z "${HARDRUN_BENCH-}" ]; then
	HARDRUN_BENCH=1 exec unshare --mount --propagation private -- sh integration/bench.sh "$@"
fi
PATH=$PATH:/usr/sbin:/sbin
rounds=${ROUNDS:-200}
hardrun=$PWD/bin/hardrun

if [ "$(id -u)" != 0 ]; then
	echo "bench: needs root, as every launcher here changes the user; nothing was measured"
	exit 0
fi
[ -x "$hardrun" ] || {
	echo "bench: bin/hardrun is not here: run make" >&2
	exit 1
}
dir=$(mktemp -d /tmp/hardrun-bench.XXXXXX)
# Where cgroup2 is, all of it happens in a control group of its own.
cgroups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
own=$cgroups$(sed -n 's/^0:://p' /proc/self/cgroup)
group=
leave() {
	rm -rf "$dir"
	if [ -n "$group" ]; then
		echo $$ >"$own/cgroup.procs"
		find "$group" -depth -type d -exec rmdir {} \;
	fi
}
trap leave EXIT
if [ -n "$cgroups" ] && mkdir -p "$own/hardrun-test.$$/bench" 2>/dev/null; then
	group=$own/hardrun-test.$$
	echo $$ >"$group/bench/cgroup.procs"
fi
trap 'exit 130' INT
trap 'exit 143' TERM
chmod 755 "$dir"
go build -o "$dir/bench" ./integration/bench

# A small parent: what a child is counted for starts with what its parent has.
cat >"$dir/rss.c" <<'C'
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	int status;
	struct rusage use;
	pid_t pid = vfork();
	if (pid == 0) {
		execv(argv[1], argv + 1);
		_exit(127);
	}
	if (argc < 2 || pid < 0 || wait4(pid, &status, 0, &use) != pid || status)
		return 1;
	printf("%ld\n", use.ru_maxrss);
	return 0;
}
C
cc=gcc
if command -v musl-gcc >/dev/null; then
	cc=musl-gcc
fi
$cc -O2 -static -o "$dir/rss" "$dir/rss.c"
printf 'int main(void) { return 0; }\n' >"$dir/tiny.c"
$cc -O2 -static -o "$dir/tiny" "$dir/tiny.c"

true=$(command -v true)
[ -x "$true" ] || true=/bin/true
full="$hardrun --user=nobody --caps=none --no-new-privs --"
peer() { # NAME COMMAND: a contender, where its program is there
	if command -v "${2%% *}" >/dev/null; then
		set -- "$1=$2"
		printf '%s\n' "$1"
	else
		echo "bench: ${2%% *} is not here, and left out" >&2
	fi
}

echo "== launch of true: user, groups, bounding set, no_new_privs; $rounds interleaved rounds"
{
	peer hardrun "$full $true"
	peer setpriv "setpriv --reuid=nobody --regid=nogroup --init-groups --inh-caps=-all --bounding-set=-all --no-new-privs -- $true"
	peer "chpst -u" "chpst -u nobody:nogroup $true"
	peer gosu "gosu nobody $true"
	peer "hardrun -u" "$hardrun -u nobody -- $true"
} >"$dir/list"
compare() { # [LIMIT AIM]: runs the contenders of list, and prints the first as a ratio to each other
	limit=${1-} aim=${2-}
	set --
	while IFS= read -r line; do
		set -- "$@" "$line"
	done <"$dir/list"
	"$dir/bench" -n "$rounds" -pause "${pause:-0s}" "$@" | tee "$dir/table"
	echo
	awk -v first="$1" -v limit="$limit" -v aim="$aim" 'BEGIN { sub(/=.*/, "", first) }
		NR > 2 && $NF > 0 { name = $0; sub(/ +[0-9.]+ +[0-9.]+ +[0-9.]+$/, "", name)
			printf "%s / %s = %.2f%s\n", first, name, 1 / $NF, limit == "" ? "" : " (limit " limit ", aim " aim ")" }' "$dir/table"
}
figures() { # FIGURE:LIMIT:AIM...: as compare, for contenders that time themselves
	wanted=$*
	set --
	while IFS= read -r line; do
		set -- "$@" "$line"
	done <"$dir/list"
	"$dir/bench" -n "$rounds" -figures "$@" >"$dir/table"
	grep -v '^ratio ' "$dir/table"
	echo
	awk -v first="$1" -v second="$2" -v wanted="$wanted" '
		function shown(r) { return r < 0.1 ? sprintf("1/%.0f", 1 / r) : sprintf("%.2f", r) }
		BEGIN { sub(/=.*/, "", first); sub(/=.*/, "", second); n = split(wanted, w, " ")
			for (i = 1; i <= n; i++) { split(w[i], f, ":"); limit[f[1]] = f[2]; aim[f[1]] = f[3] } }
		$1 == "ratio" && $2 in limit {
			printf "%s: %s / %s = %s (limit %s, aim %s)\n", $2, first, second, shown($NF), shown(limit[$2]), shown(aim[$2]) }' "$dir/table"
}
compare

echo
echo "== start-up under an inherited GOMAXPROCS"
env=$(command -v env)
{
	peer "of 256" "$env GOMAXPROCS=256 $full $dir/tiny"
	peer "of 1" "$env GOMAXPROCS=1 $full $dir/tiny"
	peer "none" "$env HARDRUN_BENCH=1 $full $dir/tiny"
} >"$dir/list"
compare

# The same view by each: the system read-only, an own /tmp, a small /dev, an own /proc
# with its own processes, no network. tiny stands where all can see it.
view=$dir/view
mkdir -p "$view"
cp "$dir/tiny" "$view/tiny"
tiny=$view/tiny
mkdir -p "$dir/bundle/rootfs"
cp "$dir/tiny" "$dir/bundle/rootfs/tiny"
cat >"$dir/bundle/config.json" <<'JSON'
{ "ociVersion": "1.0.2", "root": { "path": "rootfs", "readonly": true },
  "process": { "user": { "uid": 0, "gid": 0 }, "args": ["/tiny"], "cwd": "/", "env": ["PATH=/"] },
  "mounts": [ { "destination": "/proc", "type": "proc", "source": "proc" },
    { "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"] },
    { "destination": "/tmp", "type": "tmpfs", "source": "tmpfs" } ],
  "linux": { "namespaces": [ { "type": "pid" }, { "type": "network" }, { "type": "mount" } ] } }
JSON
sandbox="$hardrun --caps=none --protect-system=strict --private-tmp --private-devices --private-network --private-pids --bind=$view --"
some=${ROUNDS:-100}
echo
echo "== a full view: mount, PID and network namespaces, tmpfs, /dev, a read-only system; $some rounds"
{
	peer hardrun "$sandbox $tiny"
	peer bwrap "bwrap --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --bind $view $view --unshare-pid --unshare-net $tiny"
	peer "hardrun, its parent's PID" "$hardrun --caps=none --protect-system=strict --private-tmp --private-devices --private-network --bind=$view -- $tiny"
} >"$dir/list"
rounds=$some
compare
cat >"$dir/runc" <<SH
#!/bin/sh
exec runc run --bundle $dir/bundle hardrun-bench-\$\$
SH
chmod 755 "$dir/runc"
few=$((some / 4 + 1))
echo
echo "== the same next to what starts in tens of milliseconds; $few rounds"
{
	peer hardrun "$sandbox $tiny"
	peer "firejail --noprofile" "firejail --quiet --noprofile --net=none --private-dev --private-tmp --whitelist=$view --read-only=/usr $tiny"
	peer runc "$dir/runc"
} >"$dir/list"
rounds=$few
compare

# The hardening of a name server, as units of distributions have it.
unbound="$hardrun --user=nobody --caps=none --protect-system=strict --protect-home --private-tmp --private-devices
	--protect-kernel-tunables --protect-kernel-modules --protect-kernel-logs --protect-control-groups --protect-clock
	--protect-hostname --lock-personality --memory-deny-write-execute --restrict-namespaces --restrict-realtime
	--restrict-suidsgid --restrict-address-families='AF_INET AF_INET6 AF_NETLINK AF_UNIX' --system-call-architectures=native
	--system-call-filter='~@clock @cpu-emulation @debug @keyring @module mount @obsolete @resources'
	--private-network --bind=$view --"
echo
echo "== the hardening of unbound's unit, its filter included, next to bwrap without one; $some rounds"
{
	peer hardrun "$(echo "$unbound" | tr '\n\t' '  ') $tiny"
	peer bwrap "bwrap --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --bind $view $view --unshare-pid --unshare-net $tiny"
} >"$dir/list"
rounds=$some
compare 1.00 0.85

# The same as a unit file: what reading it costs beside the launch. --parent=never, as the
# options ask for no parent, either.
cat >"$dir/unbound.service" <<UNIT
[Unit]
Description=Unbound DNS server
Documentation=man:unbound(8)
After=network.target
Before=nss-lookup.target
Wants=nss-lookup.target

[Service]
User=nobody
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX
SystemCallArchitectures=native
SystemCallFilter=~@clock @cpu-emulation @debug @keyring @module mount @obsolete @resources
PrivateNetwork=yes
BindPaths=$view
Restart=on-failure
ExecStart=$tiny

[Install]
WantedBy=multi-user.target
UNIT
echo
echo "== the hardening of unbound's unit, read from a unit file, next to the same by options; $some rounds"
{
	peer "by a unit" "$hardrun --unit=$dir/unbound.service --parent=never"
	peer "by options" "$(echo "$unbound" | tr '\n\t' '  ') $tiny"
} >"$dir/list"
rounds=$some
compare 1.15 1.10

# Joining a group takes the kernel a grace period of RCU, which those before have paid
# where starts follow each other. So once more with a pause, after which nothing of that is
# left.
if [ -n "$group" ]; then
	guard="--device-policy=closed --ip-address-deny=any --ip-address-allow=localhost
		--socket-bind-deny=any --socket-bind-allow=tcp:53 --socket-bind-allow=udp:53"
	for pause in 0s 50ms; do
		echo
		echo "== the hardening of unbound's unit in a control group, with devices, addresses and ports, next to without; $some rounds, a pause of $pause before each start"
		{
			peer "with a group" "$(echo "${unbound%--} $guard --" | tr '\n\t' '  ') $tiny"
			peer "without" "$(echo "$unbound" | tr '\n\t' '  ') $tiny"
		} >"$dir/list"
		compare 1.50 1.20
	done
	pause=
else
	echo
	echo "bench: no group can be made in cgroup2, and what needs one is left out"
fi

# What is built and loaded for it, in a new process each time. The names of the calls
# are those of both.
go build -o "$dir/filter" ./integration/bench/filter
"$dir/filter" names | sed 's/.*/"&",/' >"$dir/names.h"
rounds=${ROUNDS:-60}
if [ "$(uname -m)" != x86_64 ]; then
	echo
	echo "bench: integration/bench/c/stack.c is for x86-64, and left out"
elif gcc -O2 -I"$dir" -o "$dir/stack" integration/bench/c/stack.c -lseccomp 2>"$dir/log"; then
	for native in native ""; do
		echo
		echo "== building and loading 13 directives' filters${native:+ and SystemCallArchitectures=native}, as libseccomp does it for systemd; $rounds rounds"
		{
			peer hardrun "$dir/filter $native"
			peer libseccomp "$dir/stack $native"
		} >"$dir/list"
		figures total_ns:0.05:0.025
	done
else
	echo
	echo "bench: integration/bench/c/stack.c cannot be built here, and is left out (libseccomp-dev):"
	sed -n 1p "$dir/log"
fi

# A filter of all directives that have one. MemoryDenyWriteExecute= is none, but slows
# mprotect(2) down as well.
$cc -O2 -static -o "$view/calls" integration/bench/c/calls.c
rounds=${ROUNDS:-25}
echo
echo "== nanoseconds per call under the filter of all directives; $rounds rounds"
filtered="$hardrun --protect-hostname --restrict-address-families='AF_INET AF_INET6 AF_NETLINK AF_UNIX' --memory-deny-write-execute
	--restrict-realtime --restrict-suidsgid --restrict-namespaces --protect-kernel-tunables --protect-kernel-modules
	--protect-kernel-logs --protect-clock --private-devices --system-call-architectures=native --lock-personality
	--system-call-filter=@system-service --system-call-filter='~@privileged @resources' --"
{
	peer filtered "$(echo "$filtered" | tr '\n\t' '  ') $view/calls filtered"
	peer unfiltered "$hardrun -- $view/calls free"
} >"$dir/list"
figures getppid:1.20:1.12 read_1_byte:1.20:1.12 mmap+munmap:1.20:1.12 socket+close:1.20:1.12 openat+close:1.20:1.12 mprotect:1.30:1.15

for n in 100 1000; do
	echo
	echo "== $n read-only paths"
	mkdir -p "$dir/paths"
	ro=
	binds=
	i=0
	while [ "$i" -lt "$n" ]; do
		mkdir -p "$dir/paths/$i"
		ro="$ro --read-only-paths=$dir/paths/$i"
		binds="$binds --ro-bind $dir/paths/$i $dir/paths/$i"
		i=$((i + 1))
	done
	rounds=$((n == 1000 ? 10 : 40))
	{
		peer hardrun "$hardrun$ro -- $tiny"
		peer bwrap "bwrap --dev-bind / /$binds $tiny"
	} >"$dir/list"
	compare
done

echo
echo "== a user namespace, with the PID kept"
rounds=$some
{
	peer "with one" "$hardrun --private-users --user=nobody --caps=none -- $tiny"
	peer "without" "$hardrun --user=nobody --caps=none -- $tiny"
} >"$dir/list"
compare

echo
echo "== memory and size"
cat >"$dir/wait.c" <<'C'
#include <signal.h>
#include <unistd.h>
int main(void)
{
	pause();
	return 0;
}
C
$cc -O2 -static -o "$view/wait" "$dir/wait.c"
$hardrun --private-pids -- "$view/wait" &
parent=$!
until pgrep -P "$parent" wait >/dev/null 2>&1; do
	sleep 0.05
done
awk '/^VmRSS/ { rss = $2 } /^RssAnon/ { anon = $2 } END { print "parent of a PID namespace: " rss " KiB resident, " anon " KiB of its own" }' "/proc/$parent/status"
kill "$parent"
wait "$parent" || :
# shellcheck disable=SC2086
for _ in 1 2 3 4 5 6 7 8 9; do
	"$dir/rss" $full "$dir/tiny"
done | sort -n | awk '{ v[NR] = $1 } END { print "peak resident memory of a launch: " v[int((NR + 1) / 2)] " KiB" }'
echo "bin/hardrun: $(wc -c <"$hardrun") bytes"
echo "machine: $(uname -sr), $(nproc) CPUs; built with $cc"
