#!/bin/sh
# packages.sh DIR: the unit files that Debian's packages ship, each package's below
# DIR/PACKAGE. The packages are those of testdata/packages.txt; they are downloaded, not
# installed. Their unit files are kept, so that a second run needs no network: in
# /var/cache/hardrun-units for root, else in ${XDG_CACHE_HOME:-$HOME/.cache}/hardrun-units.
# A package that is gone, or has no service any more, is named, and the status is 1.
set -eu
if [ $# -ne 1 ] || [ -z "$1" ]; then
	echo "usage: packages.sh DIR" >&2
	exit 64
fi
for command in apt-get dpkg-deb tar; do
	if ! command -v $command >/dev/null; then
		echo "packages.sh: no $command: it takes Debian" >&2
		exit 1
	fi
done
list=$(cd "$(dirname "$0")" && pwd)/testdata/packages.txt
mkdir -p "$1"
dir=$(cd "$1" && pwd)
umask 022
user=$(id -u)
if [ "$user" = 0 ]; then
	cache=/var/cache/hardrun-units
else
	cache=${XDG_CACHE_HOME:-$HOME/.cache}/hardrun-units
fi
mkdir -p "$cache"
new=$(mktemp -d "$cache/.new.XXXXXX")
trap 'rm -rf "$new"' EXIT
trap 'exit 1' HUP INT TERM

# get ARGUMENT... is apt-get in $new. Where the machine's lists of packages did not do, a user
# has lists of its own.
own=
get() {
	if [ -n "$own" ]; then
		set -- -o Dir::State::Lists="$cache/lists" -o Dir::Cache="$cache/apt" "$@"
	fi
	(cd "$new" && apt-get -qq -o APT::Sandbox::User=root "$@" >"$new/log" 2>&1)
}

# download PACKAGE... keeps the unit files of those that can be had, as PACKAGE.tar.
download() {
	get download "$@" || true
	for package; do
		for file in "$new/${package}_"*.deb; do
			if [ -e "$file" ] && dpkg-deb --fsys-tarfile "$file" >"$new/all" 2>>"$new/log"; then
				tar -t -f "$new/all" | grep -E '/systemd/system/([^/]+\.(service|socket)|[^/]+\.d/[^/]+\.conf)$' >"$new/names" || true
				mkdir "$new/units"
				if [ -s "$new/names" ]; then # an empty list would be all
					tar -x -f "$new/all" -C "$new/units" --verbatim-files-from -T "$new/names"
				fi
				tar -c -f "$new/tar" -C "$new/units" .
				mv "$new/tar" "$cache/$package.tar"
				rm -r "$new/units"
			fi
			rm -f "$file"
		done
	done
}

# missing writes the names of those that are not kept into $new/missing; false for none.
missing() {
	while read -r package; do
		if ! [ -e "$cache/$package.tar" ]; then
			echo "$package"
		fi
	done <"$list" >"$new/missing"
	[ -s "$new/missing" ]
}

if missing; then
	echo "packages.sh: $(wc -l <"$new/missing") packages are downloaded" >&2
	set --
	while read -r package; do
		set -- "$@" "$package"
		if [ $# -eq 30 ]; then
			download "$@"
			set --
		fi
	done <"$new/missing"
	if [ $# -gt 0 ]; then
		download "$@"
	fi
fi
# One that is gone spoils its whole batch, and old lists, or none, spoil all.
if missing; then
	if [ "$user" != 0 ]; then
		own=yes
		mkdir -p "$cache/lists/partial" "$cache/apt/archives/partial"
	fi
	if ! get update; then
		sed 's/^/packages.sh: apt-get update: /' "$new/log" >&2
	fi
	while read -r package; do
		download "$package"
		if ! [ -e "$cache/$package.tar" ]; then
			sed "s/^/packages.sh: $package: /" "$new/log" >&2
		fi
	done <"$new/missing"
fi

status=0
packages=0
files=0
while read -r package; do
	if ! [ -e "$cache/$package.tar" ]; then
		echo "packages.sh: $package cannot be downloaded" >&2
		status=1
		continue
	fi
	mkdir -p "$dir/$package"
	tar -x -v -f "$cache/$package.tar" -C "$dir/$package" --no-same-owner >"$new/names"
	if ! grep -q '\.service$' "$new/names"; then
		echo "packages.sh: $package has no service" >&2
		status=1
		continue
	fi
	packages=$((packages + 1))
	files=$((files + $(grep -c -v '/$' "$new/names")))
done <"$list"
echo "packages.sh: $files files of $packages packages"
exit $status
