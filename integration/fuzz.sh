#!/bin/sh
# fuzz.sh TIME: runs each fuzz target of each package for TIME (20s, 1000x).
set -eu
cd "$(dirname "$0")/.."
time=${1:-20s}
list=$(mktemp)
trap 'rm -f "$list"' EXIT
for package in $(go list ./...); do
	go test -list '^Fuzz' "$package" | sed -n "s|^\\(Fuzz[A-Za-z0-9_]*\\)\$|$package \\1|p" >>"$list"
done
if ! [ -s "$list" ]; then
	echo "fuzz: there is no fuzz target" >&2
	exit 1
fi
failed=0
while read -r package target; do
	echo "== $package $target"
	go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 2s "$package" </dev/null || failed=$((failed + 1))
done <"$list"
echo "fuzz: $(wc -l <"$list") targets, $failed failed"
[ "$failed" = 0 ]
