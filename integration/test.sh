#!/bin/sh
# The whole suite: vet, every test (as root: all of it, and the pure packages once
# more as an unprivileged user), the other systems' builds. Ends with what was
# skipped and why, and a line "N passed, N failed, N skipped".
set -eu
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin
work=$(mktemp -d /tmp/hardrun-test.XXXXXX)
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
passed=0
failed=0

step() { # NAME COMMAND: one thing that passes or fails as a whole
	name=$1
	shift
	if "$@" >"$work/step" 2>&1; then
		passed=$((passed + 1))
		echo "ok    $name"
	else
		failed=$((failed + 1))
		echo "FAIL  $name"
		cat "$work/step"
	fi
}

# Reads the output of go test -v: prints what failed, whole, and counts. A test
# that holds subtests counts like any other.
report() { # LOG WHO
	awk -v counts="$work/counts" -v skips="$work/skips" -v who="$2" '
		/^=== (RUN|CONT|NAME) / { now = $3; next }
		/^=== / { next }
		/^ *--- (PASS|FAIL|SKIP): / {
			name = $3
			if ($2 == "PASS:") pass++
			else if ($2 == "FAIL:") { fail++; print said[name] $0 }
			else {
				skip++
				why = said[name]
				gsub(/\n */, " ", why)
				sub(/^ *[a-z_0-9]+\.go:[0-9]+: */, "", why)
				print who ": " name ": " why >> skips
			}
			delete said[name]
			next
		}
		/^FAIL[ \t]/ { broken++; print; next }
		/^(PASS|FAIL|ok|\?)/ { now = ""; next }
		now == "" || /^(panic|fatal error|#)/ { print; next }
		{ said[now] = said[now] $0 "\n" }
		END { print pass + 0, fail + (fail ? 0 : broken), skip + 0 > counts }
	' "$1"
	read -r p f s <"$work/counts"
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	echo "      $2: $p passed, $f failed, $s skipped"
}
skipped=0
: >"$work/skips"

# The binary for the tests of the second back end is handed on, as nobody builds none.
tags=
if pkg-config --exists libseccomp 2>/dev/null && command -v gcc >/dev/null; then
	tags=libseccomp
	step "make libseccomp" make -s libseccomp OUT="$work/hardrun-libseccomp"
	HARDRUN_LIBSECCOMP=$work/hardrun-libseccomp
	export HARDRUN_LIBSECCOMP
else
	echo "$(id -un): the tag libseccomp: needs libseccomp-dev, pkg-config and gcc" >>"$work/skips"
	skipped=$((skipped + 1))
fi

echo "== vet"
step "go vet" go vet ./...
[ -z "$tags" ] || step "go vet -tags $tags" go vet -tags "$tags" ./...

# What setup.sh has fetched must be there: that is not skipped.
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
	export HARDRUN_UNITS=fetched
fi
me=$(id -un)
echo "== tests as $me"
status=0
go test -v -count=1 -timeout 40m -tags "$tags" ./... >"$work/log" 2>&1 || status=$?
report "$work/log" "$me"
if [ -n "${ATTACKS-}" ]; then # doc/attacks.md shows this run
	step attackdoc go run ./integration/attackdoc -log "$work/log"
fi
if [ "$status" != 0 ] && [ "$f" = 0 ]; then
	failed=$((failed + 1))
	cat "$work/log"
fi

# What needs no root must not depend on it: the same once more as nobody, in a
# copy of the sources that nobody can read. The tests are compiled here, as nobody
# has no cache; HARDRUN spares integration the build. Injecting faults needs root.
if [ "$(id -u)" = 0 ]; then
	echo "== tests as nobody"
	mkdir -m 1777 "$work/tmp"
	mkdir "$work/src"
	tar -cf - --exclude=./.git --exclude=./bin --exclude=./dist . | tar -xf - -C "$work/src" --no-same-owner
	chmod -R a+rX "$work/src"
	: >"$work/log"
	step "make build" make -s build OUT="$work/hardrun"
	for package in $(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./... | grep -v '/integration/'); do
		dir=$work/src/$(go list -f '{{.Dir}}' "$package" | cut -c "$((${#PWD} + 2))-")
		binary=$work/package.test
		if ! go test -c -o "$binary" "$package" >>"$work/log" 2>&1; then
			echo "FAIL $package [build failed]" >>"$work/log"
			continue
		fi
		status=0
		(cd "$dir" && TMPDIR=$work/tmp HOME=$work/tmp HARDRUN=$work/hardrun GOCACHE=$work/tmp/cache \
			setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --bounding-set=-all \
			"$binary" -test.v -test.timeout=20m </dev/null) >>"$work/log" 2>&1 || status=$?
		if [ "$status" = 0 ]; then
			echo "ok $package" >>"$work/log"
		else
			echo "FAIL $package (status $status)" >>"$work/log"
		fi
	done
	report "$work/log" nobody
fi

# The tests that a binary for another system holds are compiled, not run.
echo "== other systems: build, vet, tests compiled"
other() { # GOOS GOARCH
	step "$1/$2 build" env GOOS="$1" GOARCH="$2" CGO_ENABLED=0 go build -o /dev/null ./cmd/hardrun
	step "$1/$2 vet" env GOOS="$1" GOARCH="$2" CGO_ENABLED=0 go vet ./...
	for package in $(GOOS=$1 GOARCH=$2 CGO_ENABLED=0 go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...); do
		step "$1/$2 go test -c $package" env GOOS="$1" GOARCH="$2" CGO_ENABLED=0 go test -c -o "$work/other.test" "$package"
	done
}
other linux arm64
other netbsd amd64
other freebsd amd64
other openbsd amd64

echo
if [ -s "$work/skips" ]; then
	echo "== skipped, and why"
	sort -u "$work/skips"
	echo
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
