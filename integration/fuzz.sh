#!/bin/sh
# fuzz.sh [TIME] [OPTION]...: runs every fuzz target of every package for TIME in all (10m), divided by their weights, as
# many at a time as there are processors. It says what each came to, and of what it finds how to repeat it; status 1 then.
#	-jobs N     so many targets at a time
#	-run RE     only targets whose PACKAGE.NAME matches: '^unit[.]FuzzParse$'
#	-keep       fuzz nothing: copy what was found before, and reaches more than what is kept, to testdata/fuzz
#	-record     write the record of a whole run, from which doc/assurance.md is made
set -eu
cd "$(dirname "$0")/.."
time=10m
case ${1--} in
-*) ;;
*)
	time=$1
	shift
	;;
esac
exec go run ./integration/fuzzing -time "$time" "$@"
