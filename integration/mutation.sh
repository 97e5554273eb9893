#!/bin/sh
# mutation.sh [PACKAGE...]  a public mutation tool, unmodified, over the packages that decide, with each package's own
#                           tests as the judge: all of them, or the named. Writes integration/mutation/results, and of
#                           these doc/mutation.md. Needs root and the network (the tool is installed from the module proxy).
# mutation.sh -list         the packages
# mutation.sh -page         writes doc/mutation.md anew, after a change of what is argued
#
# A mutant is code that nobody has read, and it runs as root. So all happens in namespaces of its own, on a root that is
# an overlay of this machine's with its writable part in memory. Only one new directory below TMPDIR is written to.
#
# WORKERS=2 tries two mutants at once. CACHE=DIR keeps what is compiled for the next run. SECONDS_EACH=20 lets a mutant
# compute for 20 s before it is one without end.
set -eu
cd "$(dirname "$0")/.."
tool=github.com/go-gremlins/gremlins/cmd/gremlins
version=v0.6.0

# In the order of their importance. What is left out of a package (files, by a regular expression over their names),
# and the tests that judge it where not all do: those that need seconds for what is not decided in these files.
packages='caps seccomp process policy unit condition exposure row nearest order dirs supervise'
files() {
	case $1 in
	seccomp) echo '^backend_|^zcalls|^gen/|^main\.go$' ;;
	process) echo '^(chdir|file|pass|stream|way)_linux\.go$|_other\.go$|_(free|net|open)?bsd\.go$' ;;
	dirs) echo '_(linux|other)\.go$' ;;
	supervise) echo '_(linux|other)\.go$' ;;
	*) echo '_other\.go$|_(free|net|open)?bsd\.go$' ;;
	esac
}
skipped() {
	case $1 in
	caps) echo '^TestBound(s|ed)$' ;;
	condition) echo '^Test(Oracle|Bounded)' ;;
	unit) echo '^Test(ManyDropIns|LoadAsSystemd|Bounded)$' ;;
	dirs) echo '^Test(Make|Undo|Remove|Deep|Wide|Mounts|Race|Tree|Choose|Reserve|Claim|Load|Open|Bind|Lies|NoIP|Netlink|Vsock|Special|Path|Occupied|Way|Long|All|Closed|Symlinks|Option|Backlog|Use$|UseC|Bounded)' ;;
	supervise) echo '^Test(Notify|SendSIGKILL|Prior|ForkBomb|Moves|Typed|HandsOver|Orphans|Remain|Forward|Bounded)' ;;
	*) echo '^Test(Directives)?Bounded$' ;;
	esac
}
# For the compiler, where it needs longer than the tests.
compiled() {
	case $1 in
	policy) echo '-N -l' ;;
	esac
}

fail() {
	echo "mutation.sh: $*" >&2
	exit 1
}

# What happens in the namespaces, with one package: on the overlay, from the top of a copy of the tree.
inside() {
	dir=$1
	package=$2
	mount -t tmpfs -o mode=0755,size=4g tmpfs "$dir/root"
	mkdir "$dir/root/upper" "$dir/root/work" "$dir/root/new"
	mount -t overlay -o "lowerdir=/,upperdir=$dir/root/upper,workdir=$dir/root/work" overlay "$dir/root/new"
	cd "$dir/root/new"
	mount --rbind /dev dev
	mount -t proc proc proc
	mount --bind -o ro proc/sys proc/sys
	mount --rbind /sys sys
	mount -o remount,bind,ro sys
	mount -t tmpfs -o mode=1777,size=4g tmpfs tmp
	mount -t tmpfs -o mode=0755 tmpfs run
	mkdir tmp/old tmp/mutation
	mount --bind "$dir/disk" tmp/mutation
	mount --bind "${CACHE:-$dir/disk/cache}" tmp/mutation/cache
	pivot_root . tmp/old
	cd /
	umount -l /tmp/old
	rmdir /tmp/old
	ip link set lo up 2>/dev/null || true
	export TMPDIR=/tmp GOCACHE=/tmp/mutation/cache GOFLAGS='-mod=readonly -vet=off -count=1 -trimpath' GOPROXY=off GOTOOLCHAIN=local CGO_ENABLED=0
	GO=$(command -v go)
	export GO PATH="/tmp/mutation/path:$PATH"
	cd /tmp/mutation/tree
	echo "== $package"
	SKIP=$(skipped "$package")
	GCFLAGS=$(compiled "$package")
	export SKIP GCFLAGS
	files "$package" >"/tmp/mutation/out/$package.files"
	echo "$SKIP" >"/tmp/mutation/out/$package.skipped"
	# Once for all that is compiled, so that the tool measures the tests; once as a mutant is tried: what fails unmutated
	# would kill every mutant.
	go test -cover -coverprofile /tmp/mutation/profile "./$package/..." >/dev/null || fail "$package: the tests fail unmutated"
	(cd "$package" && go test -failfast .) || fail "$package: the tests fail unmutated, with the limits of a mutant"
	: >"/tmp/mutation/out/$package.endless"
	touch /tmp/mutation/compiled
	export ENDLESS="/tmp/mutation/out/$package.endless"
	gremlins unleash "./$package" --workers "${WORKERS:-1}" --timeout-coefficient 10000 \
		--invert-assignments --invert-bitwise --invert-bwassign --invert-logical --invert-loopctrl --remove-self-assignments \
		--exclude-files "$(files "$package")" --output "/tmp/mutation/out/$package.json" >"/tmp/mutation/out/$package.log" ||
		fail "$package: $(tail -n 3 "/tmp/mutation/out/$package.log")"
	! grep -q 'Shutting down' "/tmp/mutation/out/$package.log" || fail "$package: the tool was ended from outside"
	tail -n 8 "/tmp/mutation/out/$package.log"
	find /tmp/mutation/cache -newer /tmp/mutation/compiled -type f -delete # of mutants
}

# What the tool calls as go. It cannot tell a mutant that is not compiled from one that a test has killed, as both make
# `go test` exit with 1; here the first is 2, which it knows. It takes the time by the clock, which on a busy machine says
# little of a mutant; here one that has computed for SECONDS_EACH, or has not ended in as many minutes, is
# without end. That is one more mutant killed, and is noted. A mutant has 2 GB and no more.
wrapper() {
	cat <<'END'
#!/bin/bash
[ "$1" = test ] || exec "$GO" "$@"
shift
if [[ " $* " == *" -cover "* ]]; then
	exec "$GO" test ${SKIP:+-skip="$SKIP"} "$@"
fi
binary=$(mktemp)
trap 'rm -f "$binary"' EXIT
GOGC=off "$GO" test -c -ldflags=-w ${GCFLAGS:+-gcflags="$GCFLAGS"} -o "$binary" "${!#}" || exit 2
(
	ulimit -v 2097152 -t "${SECONDS_EACH:-10}"
	exec timeout -s KILL "$((60 * ${SECONDS_EACH:-10}))" "$binary" -test.failfast -test.timeout=0 ${SKIP:+-test.skip="$SKIP"}
)
case $? in
0) exit 0 ;;
124 | 137 | 152) echo endless >>"$ENDLESS" ;;
esac
exit 1
END
}

if [ "${1-}" = -inside ]; then
	shift
	inside "$@"
	exit
fi
if [ "${1-}" = -list ]; then
	echo "$packages"
	exit
fi
if [ "${1-}" = -page ]; then
	exec go run ./integration/mutation -packages "$packages"
fi
[ "$(id -u)" -eq 0 ] || fail "needs root: it mounts, in namespaces of its own"
for package; do
	case " $packages " in
	*" $package "*) ;;
	*) fail "$package is none of: $packages" ;;
	esac
done
# Names of packages are words.
# shellcheck disable=SC2086
[ $# -gt 0 ] || set -- $packages

dir=$(mktemp -d "${TMPDIR:-/tmp}/hardrun-mutation.XXXXXX")
[ -n "${KEEP-}" ] || trap 'rm -rf --one-file-system "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p "$dir/root" "$dir/disk/path" "$dir/disk/cache" "$dir/disk/out" "$dir/disk/tree"
GOBIN=$dir/disk/path go install "$tool@$version"
go mod download
go build -o "$dir/report" ./integration/mutation
wrapper >"$dir/disk/path/go"
chmod 0755 "$dir/disk/path/go"
tar -c --exclude=./.git --exclude=./bin --exclude=./dist . | tar -x -C "$dir/disk/tree"
for package; do
	unshare --mount --pid --net --ipc --uts --fork --kill-child --mount-proc --propagation private \
		sh integration/mutation.sh -inside "$dir" "$package"
	"$dir/report" -tool "gremlins $version" -out "$dir/disk/out" -tree "$dir/disk/tree" -packages "$packages" "$package"
done
