#!/bin/sh
# The linters. Each one's findings are printed; any of them fails the whole.
set -eu
cd "$(dirname "$0")/.."
failed=0
finding() {
	echo "lint: $*" >&2
	failed=1
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

echo "== gofumpt"
out=$(go tool gofumpt -l .) || finding "gofumpt failed"
if [ -n "$out" ]; then
	finding "not gofumpt-clean:" "$out"
fi
# Twice, where it can be: files with the tag libseccomp take the place of others.
tagged=
if pkg-config --exists libseccomp 2>/dev/null; then
	tagged=libseccomp
else
	echo "NOT CHECKED: files with the tag libseccomp, as libseccomp-dev and pkg-config are not here"
fi
echo "== go vet"
go vet ./... || finding "go vet"
[ -z "$tagged" ] || go vet -tags "$tagged" ./... || finding "go vet -tags $tagged"
echo "== staticcheck"
go tool staticcheck ./... || finding "staticcheck"
[ -z "$tagged" ] || go tool staticcheck -tags "$tagged" ./... || finding "staticcheck -tags $tagged"
echo "== errcheck"
# A refusal is an error that is kept in the plan, and handed back only to be annotated.
printf '%s\n' '(*github.com/hardrun/hardrun/launcher.compiler).refuse' >"$work/exclude"
go tool errcheck -exclude "$work/exclude" ./... || finding "errcheck"
[ -z "$tagged" ] || go tool errcheck -tags "$tagged" -exclude "$work/exclude" ./... || finding "errcheck -tags $tagged"

# What must not be in the project: left-over work, and other people's names for it.
echo "== words"
words='TO''DO|FIX''ME|XX''X[^X]|HA''CK'
out=$(grep -rnIE "$words" --include='*.go' --include='*.[ch]' --include='*.sh' --include='*.md' --include=Makefile . | grep -vE '^\./(bin|dist|\.git)/|mktemp|XXXXXX' || true)
if [ -n "$out" ]; then
	finding "words that belong to unfinished work:" "$out"
fi
out=$(grep -rnIE "/wor""k/|ses""sion [0-9]+|\(#[0-9]+\)" --include='*.go' --include='*.[ch]' --include='*.sh' --include='*.md' --include=Makefile . | grep -vE '^\./(bin|dist|\.git)/' || true)
if [ -n "$out" ]; then
	finding "places and numbers which the reader does not have:" "$out"
fi

echo "== shell"
for script in integration/*.sh integration/vm/*.sh integration/vm/tests/*.sh .ci/run; do
	sh -n "$script" || finding "$script"
done
if command -v shellcheck >/dev/null; then
	shellcheck integration/*.sh integration/vm/*.sh integration/vm/tests/*.sh .ci/run || finding "shellcheck"
else
	echo "shellcheck is not here; only sh -n was run"
fi

# Status 3 is a finding; 1 is a failure of the tool, most often that the database
# of vulnerabilities was not to be had.
vulnerable() { # WHAT ARGS
	what=$1
	shift
	status=0
	go tool govulncheck "$@" >"$work/vuln" 2>&1 || status=$?
	case $status in
	0) sed -n '1,3p' "$work/vuln" ;;
	3)
		cat "$work/vuln"
		finding "govulncheck: $what"
		;;
	*)
		if grep -qE 'vuln\.go\.dev|dial tcp|no such host|fetching|Forbidden|proxyconnect|timeout' "$work/vuln"; then
			echo "NOT CHECKED: the database of vulnerabilities cannot be had here:"
			sed -n '1,3p' "$work/vuln"
		else
			cat "$work/vuln"
			finding "govulncheck of the $what failed"
		fi
		;;
	esac
}
echo "== govulncheck, source"
vulnerable source ./...
echo "== govulncheck, binary"
# The shipped binary has no symbols, and the tool wants them: the same build with them.
if make -s build OUT="$work/hardrun" STRIP= >"$work/build" 2>&1; then
	vulnerable binary -mode=binary "$work/hardrun"
else
	cat "$work/build"
	finding "the build for govulncheck"
fi

[ "$failed" = 0 ] && echo "lint: clean"
exit "$failed"
