# That hardrun works in this machine at all.
# shellcheck shell=sh

test_launch() {
	hardrun --user=1:1 --caps=none -- busybox true
	equal 'user and capabilities' \
		"$(hardrun --user=1:1 --caps=none -- busybox grep -E '^(Uid|Gid|CapPrm|CapBnd):' /proc/self/status | tr -s '\t\n' ' ')" \
		'Uid: 1 1 1 1 Gid: 1 1 1 1 CapPrm: 0000000000000000 CapBnd: 0000000000000000 '
}

test_status() {
	status=0
	hardrun --user=1:1 --caps=none -- busybox sh -c 'exit 7' || status=$?
	equal 'status' "$status" 7
}

test_plan() {
	hardrun plan --user=1:1 --caps=none -- busybox true >steps
	grep -q '^user ' steps || fail "no line of the user: $(cat steps)"
	grep -q '^exec ' steps || fail "no line of the command: $(cat steps)"
}

# The root is one that a mount namespace can be made of.
test_view() {
	hardrun --user=1:1 --caps=none --protect-system=strict --private-tmp -- busybox true
	refuses 'Read-only file system' hardrun --protect-system=strict -- busybox touch /srv/file
	touch /srv/file
	rm /srv/file
}
