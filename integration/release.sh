#!/bin/sh
# release.sh build DIR [ARCH...]     static binaries of amd64 and arm64, for each an SBOM (CycloneDX), BUILD.txt:
#                                    how they were built, and SHA256SUMS, in DIR
# release.sh reproducible [-record] [ARCH...]
#                                    builds twice, the second time with everything different that must not
#                                    matter, and fails where a byte differs; writes the record of that
# release.sh verify DIR              builds what DIR holds once more from these sources, and compares
# release.sh compare DIR DIR         that comparison alone
# release.sh linked ARCH DIR         links DIR's binary once more, with a map: what was put into it
# release.sh vulnerable FILE...      govulncheck of binaries; VULNDB=URL for a database of one's own
#
# VERSION and COMMIT say what is built, where git cannot. The C library of arm64 is
# that of MUSL_ARM64, where Debian's musl-dev for arm64 is unpacked (bin/peers/arm64).
set -eu
cd "$(dirname "$0")/.."
usage() {
	sed -n '2,10s/^# //p' integration/release.sh >&2
	exit 64
}
fail() {
	echo "release: $*" >&2
	exit 1
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

asked=${VERSION-}
VERSION=${VERSION:-$(git describe --tags --always --dirty --abbrev=12 2>/dev/null || true)}
COMMIT=${COMMIT:-$(git rev-parse HEAD 2>/dev/null || true)}
MUSL_ARM64=${MUSL_ARM64:-$PWD/bin/peers/arm64}

# What the linker of C is told, beside what the Makefile tells that of Go.
EXTLD='-static -Wl,-z,noexecstack,-z,separate-code,-z,relro,-z,now,--build-id=none'
# Go's build ID hashes the commands of the build, too; nothing here needs one.
STRIP='-s -w -buildid= -B none'
CFLAGS='-O2 -g0 -Werror=date-time'

go_version=$(go env GOVERSION)
go_proxy=$(go env GOPROXY)
go_sumdb=$(go env GOSUMDB)
go_modules=$(go env GOMODCACHE)
go_cache=$(go env GOCACHE)

# pure ARCH COMMAND: with nothing of the environment but what a build cannot do without.
pure() {
	pure_arch=$1
	shift
	env -i PATH="$PATH" HOME="${HOME-}" TMPDIR="${TMPDIR:-/tmp}" TZ="${TZ-}" LC_ALL="${LC_ALL-}" \
		${GOMAXPROCS:+GOMAXPROCS="$GOMAXPROCS"} ${LD_PRELOAD:+LD_PRELOAD="$LD_PRELOAD" FAKETIME="${FAKETIME-}"} \
		GOENV=off GOTOOLCHAIN="$go_version" GOPROXY="$go_proxy" GOSUMDB="$go_sumdb" GOMODCACHE="$go_modules" GOCACHE="$go_cache" \
		GOFLAGS='-mod=readonly -buildvcs=false' GOOS=linux GOARCH="$pure_arch" GOAMD64=v1 GOARM64=v8.0 \
		CGO_ENABLED=1 CGO_CFLAGS="$CFLAGS" CGO_LDFLAGS=-O2 "$@"
}

# The compiler of an architecture in $cc, its C library in $libc and $libc_version.
compiler() { # ARCH
	case $1 in
	amd64)
		cc=musl-gcc libc=/usr/lib/x86_64-linux-musl
		command -v $cc >/dev/null || fail "amd64: musl-gcc is not here: sh integration/setup.sh release, or Debian's musl-tools"
		libc_version=$(dpkg-query -W -f '${Version}' musl-dev 2>/dev/null) || libc_version=unknown
		;;
	arm64)
		command -v aarch64-linux-gnu-gcc >/dev/null || fail "arm64: aarch64-linux-gnu-gcc is not here: sh integration/setup.sh release, or Debian's gcc-aarch64-linux-gnu"
		libc=$MUSL_ARM64/usr/lib/aarch64-linux-musl
		[ -e "$libc/libc.a" ] || fail "arm64: no musl in $MUSL_ARM64: sh integration/setup.sh release unpacks Debian's"
		libc_version=$(cat "$MUSL_ARM64/musl" 2>/dev/null) || libc_version=unknown
		# What musl-gcc is, for this one: in place of libc's paths and start-up code those of musl.
		cc=$work/cc-arm64
		cat >"$work/specs" <<-END
			%rename cpp_options old_cpp_options
			*cpp_options:
			-nostdinc -isystem $MUSL_ARM64/usr/include/aarch64-linux-musl -isystem include%s %(old_cpp_options)

			*cc1:
			%(cc1_cpu) -nostdinc -isystem $MUSL_ARM64/usr/include/aarch64-linux-musl -isystem include%s

			*link_libgcc:
			-L$libc -L .%s

			*libgcc:
			libgcc.a%s libgcc_eh.a%s

			*startfile:
			$libc/Scrt1.o $libc/crti.o crtbeginS.o%s

			*endfile:
			crtendS.o%s $libc/crtn.o

			*link:
			-nostdlib -static

			*esp_link:


			*esp_options:


			*esp_cpp_options:


		END
		printf '#!/bin/sh\nexec aarch64-linux-gnu-gcc "$@" -specs %s\n' "$work/specs" >"$cc"
		chmod 755 "$cc"
		;;
	*) fail "$1: only amd64 and arm64 are released" ;;
	esac
}

# binary ARCH FILE [WORD]...: builds one, by the Makefile; words are for make.
binary() {
	binary_arch=$1 binary_file=$2
	shift 2
	compiler "$binary_arch"
	pure "$binary_arch" make -s build MUSL=x CC_USED="$cc" VERSION="$VERSION" EXTLD="$EXTLD" STRIP="$STRIP" OUT="$binary_file" "$@" >"$work/log" 2>&1 || {
		cat "$work/log" >&2
		fail "$binary_arch: the build failed"
	}
}

build() { # DIR [ARCH]...
	[ $# -ge 1 ] || usage
	dir=$1
	shift
	[ $# -gt 0 ] || set -- amd64 arm64
	[ -n "$VERSION" ] || fail "no version: this is no git repository, so say VERSION=…"
	mkdir -p "$dir"
	rm -f "$dir"/hardrun-linux-* "$dir"/BUILD.txt "$dir"/SHA256SUMS
	{
		echo "hardrun $VERSION"
		echo "commit ${COMMIT:-not known: no git repository}"
		echo
		echo "Each binary is what \"make release\" makes of these sources with these tools, to the bit; doc/release.md tells more."
	} >"$work/BUILD.txt"
	for arch in "$@"; do
		name=hardrun-linux-$arch
		binary "$arch" "$work/$name"
		libgcc=$("$cc" -print-libgcc-file-name)
		pure "$(go env GOHOSTARCH)" CC="$cc_host" go run -trimpath ./integration/release -binary "$work/$name" -version "$VERSION" -commit "$COMMIT" \
			-cc "$("$cc" --version | sed 1q)" -ld "$("$("$cc" -print-prog-name=ld)" --version | sed 1q)" \
			-libc "$libc/libc.a" -libc-version "$libc_version" -libgcc "$libgcc" \
			-flags "CGO_CFLAGS='$CFLAGS' CGO_LDFLAGS=-O2 make build EXTLD='$EXTLD' STRIP='$STRIP'" \
			-sbom "$work/$name.cdx.json" >>"$work/BUILD.txt"
	done
	(cd "$work" && sha256sum hardrun-linux-* BUILD.txt >SHA256SUMS)
	chmod 755 "$work"/hardrun-linux-*
	chmod 644 "$work"/*.cdx.json "$work/BUILD.txt" "$work/SHA256SUMS"
	mv "$work"/hardrun-linux-* "$work/BUILD.txt" "$work/SHA256SUMS" "$dir"
	cat "$dir/SHA256SUMS"
}
# The generator is for this machine, and shares what the build of amd64 has compiled.
cc_host=musl-gcc
command -v musl-gcc >/dev/null || cc_host=gcc

compare() { # DIR DIR
	[ $# -eq 2 ] || usage
	differ=0 same=0
	for file in "$1"/* "$2"/*; do
		name=${file##*/}
		[ "$file" != "$2/$name" ] || [ ! -e "$1/$name" ] || continue
		if cmp "$1/$name" "$2/$name"; then
			same=$((same + 1))
		else
			differ=$((differ + 1))
			case $name in
			*.json | *.txt | *SUMS) diff "$1/$name" "$2/$name" || true ;;
			*) readelf -SW "$1/$name" 2>/dev/null | sed -n 's/^ *\[[ 0-9]*\] \(\.[^ ]*\).*/\1/p' | while read -r section; do
				rm -f "$work/1" "$work/2"
				objcopy -O binary --only-section="$section" --set-section-flags "$section=alloc" "$1/$name" "$work/1" 2>/dev/null || continue
				objcopy -O binary --only-section="$section" --set-section-flags "$section=alloc" "$2/$name" "$work/2" 2>/dev/null || continue
				cmp -s "$work/1" "$work/2" || echo "$name: section $section differs"
			done ;;
			esac
		fi
	done
	[ "$same$differ" != 00 ] || fail "nothing to compare in $1"
	[ "$differ" = 0 ] || fail "NOT REPRODUCIBLE: $differ files differ, $same are the same"
	echo "$same files, bit for bit the same"
}

reproducible() { # [-record] [ARCH]...
	began=$(date +%s) record=
	if [ "${1-}" = -record ]; then
		shift
		[ $# -eq 0 ] || fail "the record is of all architectures"
		record=1
	fi
	[ $# -gt 0 ] || set -- amd64 arm64
	VERSION=${VERSION:-unversioned}
	echo "== built here"
	first=$work/first
	VERSION=$VERSION COMMIT=$COMMIT MUSL_ARM64=$MUSL_ARM64 sh integration/release.sh build "$first" "$@"
	# The second time: sources elsewhere, below a path with a space, younger and by another
	# owner; another HOME, TMPDIR, umask, language, zone of time, number of CPUs, an empty
	# cache, settings that change what a compiler does, and, where it can be had, another
	# user, host name and date (of what is written in C: Go's tools read no clock of libc).
	second="$work/the second/of two, longer"
	mkdir -p "$second/hardrun" "$second/home/.config/go" "$work/elsewhere"
	tar -cf - --exclude=./.git --exclude=./bin --exclude=./dist . | tar -xmf - -C "$second/hardrun" --no-same-owner
	echo 'GOFLAGS=-gcflags=all=-N' >"$second/home/.config/go/env"
	varied='directory, age of the sources, HOME, TMPDIR, GOCACHE, umask, language, zone of time, CPUs, environment'
	set -- env -u XDG_CONFIG_HOME HOME="$second/home" TMPDIR="$work/elsewhere" GOCACHE="$second/home/cache" GOMODCACHE="$go_modules" GOMAXPROCS=7 \
		TZ=Pacific/Chatham LC_ALL=C.UTF-8 SOURCE_DATE_EPOCH=1 GOAMD64=v3 GOARM64=v9.0 CGO_CFLAGS=-O0 CFLAGS=-O0 LDFLAGS=-s CPATH=/nowhere \
		VERSION="$VERSION" COMMIT="$COMMIT" MUSL_ARM64="$MUSL_ARM64" sh integration/release.sh build out "$@"
	if command -v faketime >/dev/null; then
		set -- faketime -f '@2001-02-03 04:05:06' "$@"
		varied="$varied, date of the C compiler"
	else
		echo "NOT VARIED: the date, as faketime is not here"
	fi
	if [ "$(id -u)" = 0 ]; then
		chmod 711 "$work"
		chown -R 65534:65534 "$work/the second" "$work/elsewhere"
		# It reads root's cache of modules.
		set -- setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=+dac_read_search --ambient-caps=+dac_read_search "$@"
		set -- unshare --uts sh -c 'hostname elsewhere.example; exec "$@"' sh "$@"
		varied="$varied, user, host name"
	else
		echo "NOT VARIED: the user and the host name, as this is not root"
	fi
	echo "== built again, with other: $varied"
	(
		umask 077
		cd "$second/hardrun"
		exec "$@"
	)
	echo "== compared"
	compare "$first" "$second/hardrun/out"
	[ -n "$record" ] || return 0
	took=$(($(date +%s) - began))
	files=$(find "$first" -type f | wc -l)
	go run ./integration/assurance/save -name release -title 'The release built twice, with all that must not matter different' \
		-command 'sh integration/setup.sh release && sh integration/release.sh reproducible -record' -page release.md -seconds "$took" \
		-note "What was different the second time: $varied." \
		'files that differ|0|0|met' "files, bit for bit the same|$files" 'binaries, static: amd64 and arm64|2'
}

# released DIR: the version and the commit that DIR was built from, for another build of it.
released() {
	VERSION=$(sed -n 's/^hardrun //p' "$1/BUILD.txt")
	COMMIT=$(sed -n 's/^commit \([0-9a-f]*\)$/\1/p' "$1/BUILD.txt")
	[ -n "$VERSION" ] || fail "$1/BUILD.txt names no version"
	here=${asked:-$(git describe --tags --always --dirty --abbrev=12 2>/dev/null || true)}
	[ -z "$here" ] || [ "$here" = "$VERSION" ] || fail "$1 holds $VERSION, and these sources are $here"
}

verify() { # DIR
	[ $# -eq 1 ] || usage
	released "$1"
	archs=
	for file in "$1"/hardrun-linux-*.cdx.json; do
		file=${file##*/hardrun-linux-}
		archs="$archs ${file%.cdx.json}"
	done
	echo "== built again"
	# Names of architectures are words.
	# shellcheck disable=SC2086
	VERSION=$VERSION COMMIT=$COMMIT MUSL_ARM64=$MUSL_ARM64 sh integration/release.sh build "$work/again" $archs
	echo "== compared"
	compare "$1" "$work/again"
}

# linked ARCH DIR: the files and members of libraries that the binary consists of, by the
# linker's own word; it is linked once more for that, and must be the same.
linked() {
	[ $# -eq 2 ] || usage
	released "$2"
	name=hardrun-linux-$1
	binary "$1" "$work/$name" EXTLD="$EXTLD -Wl,-Map=$work/map"
	cmp "$work/$name" "$2/$name" >&2 || fail "$name is not what these sources and tools make"
	sed -n 's/^LOAD //p' "$work/map" | sed -E 's,^.*/go-link-[^/]*/,go-link/,' | LC_ALL=C sort -u
	# Members that came in stand at the beginning of a line, before who asked for them.
	sed -nE 's,^([^ ]+\.a)\(([^)]*)\).*,\1 \2,p' "$work/map" | LC_ALL=C sort -u
}

# Status 3 is a finding. That there is none counts with the date of the database alone: of an
# empty one govulncheck says "No vulnerabilities found", too.
vulnerable() { # FILE...
	[ $# -gt 0 ] || usage
	for file; do
		status=0
		go tool govulncheck ${VULNDB:+-db "$VULNDB"} -show version -mode=binary "$file" >"$work/vuln" 2>&1 || status=$?
		if [ "$status" = 3 ]; then
			cat "$work/vuln"
			fail "$file has known vulnerabilities"
		elif [ "$status" = 0 ] && grep -q '^DB updated: 2' "$work/vuln" && grep -q '^No vulnerabilities found' "$work/vuln"; then
			echo "$file: No vulnerabilities found ($(sed -n 's/^DB updated: /database of /p' "$work/vuln"))"
		else
			echo "$file: vulnerabilities: NOT CHECKED: $(grep -vE '^(Scanner|DB)|^$' "$work/vuln" | tr '\n' ' ')"
		fi
	done
}

word=${1-}
[ $# -eq 0 ] || shift
case $word in
build | reproducible | verify | compare | linked | vulnerable) "$word" "$@" ;;
*) usage ;;
esac
