#!/bin/sh
# libraries.sh PROGRAM...: prints a drop-in that shows these programs and their libraries, at
# their own places, in the root directory of a service:
#
#   mkdir -p unbound.service.d
#   sh libraries.sh /usr/sbin/unbound /bin/cp >unbound.service.d/libraries.conf
#
# It is to be run again after an update that brings libraries of other names: with one that is
# not there any more the service is refused.
set -eu
for program; do
	if ! [ -x "$program" ]; then
		echo "libraries.sh: $program is no program" >&2
		exit 1
	fi
done
found=$(ldd "$@")
case $found in
*'not found'*)
	echo "libraries.sh: a library is missing:" >&2
	echo "$found" | grep 'not found' >&2
	exit 1
	;;
esac
echo '[Service]'
for program; do
	echo "BindReadOnlyPaths=$program"
done
# "NAME => PATH (ADDRESS)", and the loader: "PATH (ADDRESS)".
echo "$found" | sed -n 's/^.*[[:space:]]\(\/[^[:space:]]*\) (0x[0-9a-f]*)$/BindReadOnlyPaths=\1/p' | sort -u
