# That the kernel takes programs of the kinds that directives need, and does as
# they say. See bpf.c.
# shellcheck shell=sh disable=SC2154

test_device_program() {
	group=$cgroups/device
	mkdir "$group"
	# $1 and $$ are the inner shell's.
	# shellcheck disable=SC2016
	inside='echo $$ >"$1/cgroup.procs" && : </dev/zero'
	sh -c "$inside" sh "$group"
	bpf-probe device "$group"
	refuses 'Operation not permitted' sh -c "$inside" sh "$group"
	: </dev/zero
}

test_lsm_program() {
	equal 'setpriority before, while and after' "$(bpf-probe lsm)" '0 EXDEV 0'
}
