#!/bin/sh
# exposure-oracle.sh [DIR]: what systemd itself says of the units in testdata/exposure-units.txt, of
# those of the packages in testdata/packages.txt and of the examples. It is written to
# testdata/exposure.txt, and where package exposure says something else, the status is 1.
#
# Debian sid's systemd is unpacked in DIR/root, which is kept, or in a directory that is removed;
# nothing is installed on the machine but debootstrap, if that is missing and the user agrees by
# HARDRUN_ORACLE_INSTALL=yes. It takes root, for chroot, and 100 MB to download.
set -eu
cd "$(dirname "$0")"
if [ "$(id -u)" != 0 ]; then
	echo "exposure-oracle.sh: needs root" >&2
	exit 1
fi
if ! command -v debootstrap >/dev/null; then
	if [ "${HARDRUN_ORACLE_INSTALL:-}" != yes ]; then
		echo "exposure-oracle.sh: needs debootstrap: install it, or set HARDRUN_ORACLE_INSTALL=yes" >&2
		exit 1
	fi
	apt-get install -y -qq --no-install-recommends debootstrap
fi
if [ $# -gt 0 ]; then
	mkdir -p "$1"
	dir=$(cd "$1" && pwd)
else
	dir=$(mktemp -d)
	trap 'rm -rf --one-file-system "$dir"' EXIT
	trap 'exit 1' HUP INT TERM
fi
if ! [ -x "$dir/root/usr/bin/systemd-analyze" ]; then
	# debootstrap mounts /proc in the root; in a mount namespace of its own it does not stay.
	unshare --mount --propagation=private debootstrap --variant=minbase --include=systemd sid "$dir/root" ${MIRROR:+"$MIRROR"}
fi
chroot "$dir/root" systemd-analyze --version | head -n 1
HARDRUN_UNITS=yes HARDRUN_ORACLE_ROOT=$dir/root go test -count=1 -run '^TestExposureUpdate$' . -update-exposure -v
