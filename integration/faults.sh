#!/bin/sh
# The whole fault matrix: every system call of 17 kinds of launches made to fail and to
# lie. More than 100,000 starts, half an hour and more; `make test` takes a sample.
# Before it the matrix of missing privileges, some 6,000 starts, one minute, which
# writes doc/privileges.md.
#
#	sh integration/faults.sh [-update] [-log=FILE] [-hardrun=FILE]
set -eu
cd "$(dirname "$0")/.."

if [ "$(id -u)" -ne 0 ]; then
	echo "faults.sh: needs root: mount and PID namespaces, and a launcher with capabilities" >&2
	exit 1
fi
if ! command -v strace >/dev/null; then
	echo "faults.sh: needs strace, which tells what calls there are" >&2
	exit 1
fi
given=
for word; do
	case $word in
	-hardrun=*) given=${word#*=} ;;
	esac
done
HARDRUN=$given go test ./integration -count=1 -timeout=1h -v -run='^TestPrivileges$' -full
exec go test ./integration/faults -count=1 -timeout=4h -v -run='^Test' -full -jobs="$(nproc)" "$@"
