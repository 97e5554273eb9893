#!/bin/sh
# Launches of true next to their peers, interleaved in one run. Quote the ratios
# only: absolute times are those of one machine at one moment. ROUNDS=300 sets
# how often each runs.
set -eu
cd "$(dirname "$0")/.."
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
trap 'rm -rf "$dir"' EXIT
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
compare() { # runs the contenders of list, and prints the first as a ratio to each other
	set --
	while IFS= read -r line; do
		set -- "$@" "$line"
	done <"$dir/list"
	"$dir/bench" -n "$rounds" "$@" | tee "$dir/table"
	echo
	awk -v first="$1" 'BEGIN { sub(/=.*/, "", first) }
		NR > 2 && $NF > 0 { name = $0; sub(/ +[0-9.]+ +[0-9.]+ +[0-9.]+$/, "", name)
			printf "%s / %s = %.2f\n", first, name, 1 / $NF }' "$dir/table"
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

echo
echo "== memory and size"
# shellcheck disable=SC2086
for _ in 1 2 3 4 5 6 7 8 9; do
	"$dir/rss" $full "$dir/tiny"
done | sort -n | awk '{ v[NR] = $1 } END { print "peak resident memory of a launch: " v[int((NR + 1) / 2)] " KiB" }'
echo "bin/hardrun: $(wc -c <"$hardrun") bytes"
echo "machine: $(uname -sr), $(nproc) CPUs; built with $cc"
