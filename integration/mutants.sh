#!/bin/sh
# Every mutant of the packages that a launch consists of: one change each, in one binary,
# tried against starts, tests and faults until one notices. An hour and more on two
# processors; a run that is ended goes on where it was.
#
#	sh integration/mutants.sh [-update] [-only=ns/,caps/set.go] [-survivors] [-most=1s] [-tests=launcher:TestPlans.*] [-sample=N [-seed=S]] [-dir=DIR]
#
# It runs hardrun without its checks: only as root, in rooms that are thrown away.
set -eu
cd "$(dirname "$0")/.."

if [ "$(id -u)" -ne 0 ]; then
	echo "mutants.sh: needs root: mount and PID namespaces, and a launcher with capabilities" >&2
	exit 1
fi
if ! command -v strace >/dev/null; then
	echo "mutants.sh: needs strace, which injects the faults" >&2
	exit 1
fi
tool=$(mktemp)
trap 'rm -f "$tool"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
go build -o "$tool" ./integration/mutants
"$tool" "$@"
