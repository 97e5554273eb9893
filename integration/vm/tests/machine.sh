# That the machine is what the other tests take it for.
# shellcheck shell=sh disable=SC2154

test_kernel_version() {
	read -r _ _ release _ </proc/version
	major=${release%%.*}
	minor=${release#*.}
	minor=${minor%%.*}
	[ "$major" -gt 6 ] || { [ "$major" = 6 ] && [ "$minor" -ge 1 ]; } || fail "Linux $release is older than 6.1"
}

test_cgroup2_alone() {
	equal 'file systems of control groups' "$(awk '$3 ~ /^cgroup/ { print $3, $2 }' /proc/mounts)" "cgroup2 $cgroups"
	equal '/proc/self/cgroup' "$(cat /proc/self/cgroup)" 0::/
}

test_controllers() {
	for controller in cpu cpuset io memory pids; do
		has_word "$cgroups/cgroup.controllers" "$controller"
	done
}

# Each controller's limit is taken and read back in a group.
test_limits() {
	controllers cpu cpuset io memory pids
	group=$cgroups/limits
	mkdir "$group"
	disk=$(cat /sys/class/block/vda/dev)
	while read -r file limit; do
		echo "$limit" >"$group/$file"
		equal "$file" "$(cat "$group/$file")" "$limit"
	done <<-LIMITS
		cpu.max 50000 100000
		cpuset.cpus 1
		memory.max 33554432
		pids.max 7
		io.max $disk rbps=1048576 wbps=max riops=max wiops=max
	LIMITS
	[ -f "$group/cgroup.kill" ] || fail "there is no cgroup.kill"
}

test_two_processors() {
	equal 'processors' "$(nproc)" 2
}

test_disk() {
	equal 'sectors of 512 bytes' "$(cat /sys/class/block/vda/size)" 131072
	mkdir disk
	mount -t ext4 /dev/vda disk
	echo written >disk/file
	umount disk
	mount -t ext4 -o ro /dev/vda disk
	equal 'the file' "$(cat disk/file)" written
}

test_loopback() {
	ping -c 1 -W 5 127.0.0.1
}

test_bpf_lsm_active() {
	has_word /sys/kernel/security/lsm bpf
	[ -s /sys/kernel/btf/vmlinux ] || fail "the kernel does not describe its types"
}
