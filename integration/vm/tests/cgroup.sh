# The directives of control groups on a machine whose cgroup2 has all controllers: that each
# holds for the daemon, that the same act works without, and that nothing stays.
# shellcheck shell=sh disable=SC2154

# The words of the inner shell are its own.
# shellcheck disable=SC2016
inner='cat "/sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)/$1"'

# What the group of a daemon holds in a file.
inside() { # FILE OPTION...
	file=$1
	shift
	hardrun "$@" -- busybox sh -c "$inner" sh "$file"
}

# Postcondition: no group but the root's.
nothing_stays() {
	equal 'groups' "$(find "$cgroups" -mindepth 1 -type d)" ''
}

test_devices() {
	busybox head -c 1 /dev/zero >/dev/null
	refuses 'Operation not permitted' hardrun --device-allow='/dev/null rw' -- busybox head -c 1 /dev/zero
	hardrun --device-allow='/dev/null rw' -- busybox sh -c 'echo >/dev/null'
	hardrun --device-policy=closed -- busybox head -c 1 /dev/zero >/dev/null
	refuses 'Operation not permitted' hardrun --device-policy=closed -- busybox head -c 1 /dev/vda
	hardrun --device-policy=closed --device-allow='block-virtblk r' -- busybox head -c 1 /dev/vda >/dev/null
}

test_addresses() {
	ping -c 1 -W 5 127.0.0.1
	refuses '' hardrun --ip-address-deny=localhost -- busybox ping -c 1 -W 2 127.0.0.1
	hardrun --ip-address-deny=any --ip-address-allow=localhost -- busybox ping -c 1 -W 5 127.0.0.1
	refuses '' hardrun --restrict-network-interfaces='~lo' -- busybox ping -c 1 -W 2 127.0.0.1
}

test_binds() {
	timeout 1 busybox nc -l -p 8081 || [ $? = 143 ] || fail 'nc does not listen'
	refuses 'Operation not permitted' timeout 5 hardrun --socket-bind-deny=any --socket-bind-allow=tcp:8082 -- busybox nc -l -p 8081
	timeout 1 hardrun --socket-bind-deny=any --socket-bind-allow=tcp:8081 -- busybox nc -l -p 8081 || [ $? = 143 ] || fail 'nc does not listen where it may'
}

test_memory_max() {
	busybox dd if=/dev/zero of=/dev/null bs=64M count=1
	status=0
	hardrun --memory-max=16M -- busybox dd if=/dev/zero of=/dev/null bs=64M count=1 || status=$?
	equal 'status' "$status" 137
}

test_memory_files() {
	equal 'memory.max' "$(inside memory.max --memory-max=33554432)" 33554432
	equal 'memory.high' "$(inside memory.high --memory-high=1M)" 1048576
	equal 'memory.low' "$(inside memory.low --memory-low=1M)" 1048576
	equal 'memory.min' "$(inside memory.min --memory-min=1M)" 1048576
	equal 'memory.swap.max' "$(inside memory.swap.max --memory-swap-max=0)" 0
	total=$(awk '/^MemTotal/ { print $2 * 1024 }' /proc/meminfo)
	tenth=$(inside memory.max --memory-max=10%)
	if [ "$tenth" -gt $((total / 10)) ] || [ "$tenth" -le $((total / 10 - 8192)) ]; then
		fail "10% of $total is $tenth"
	fi
}

test_tasks_max() {
	busybox sh -c 'sleep 1 & sleep 1 & sleep 1 & wait'
	refuses "can't fork" hardrun --tasks-max=3 -- busybox sh -c 'sleep 1 & sleep 1 & sleep 1 & wait'
}

test_cpu() {
	equal 'cpu.max' "$(inside cpu.max --cpu-quota=20%)" '20000 100000'
	equal 'cpu.max' "$(inside cpu.max --cpu-quota=150% --cpu-quota-period-sec=10ms)" '15000 10000'
	equal 'cpu.weight' "$(inside cpu.weight --cpu-weight=50)" 50
	equal 'cpu.idle' "$(inside cpu.idle --cpu-weight=idle)" 1
	equal 'CPUs' "$(hardrun --allowed-cpus=1 -- busybox grep Cpus_allowed_list /proc/self/status | tr -s '\t' ' ')" 'Cpus_allowed_list: 1'
	equal 'partition' "$(inside cpuset.cpus.partition --allowed-cpus=1 --cpuset-partition=root)" root
}

test_io() {
	begin=$(cut -d. -f1 /proc/uptime)
	hardrun --io-read-bandwidth-max='/dev/vda 1M' -- busybox dd if=/dev/vda of=/dev/null bs=1M count=3 iflag=direct
	end=$(cut -d. -f1 /proc/uptime)
	[ $((end - begin)) -ge 2 ] || fail "3 MB at 1 MB a second took $((end - begin)) s"
	disk=$(cat /sys/class/block/vda/dev)
	equal 'io.max' "$(inside io.max --io-write-iops-max='/dev/vda 1K' --io-read-bandwidth-max='/dev/vda 2M')" "$disk rbps=2000000 wbps=max riops=max wiops=1000"
}

test_file_systems() {
	cat /sys/kernel/notes >/dev/null
	refuses 'Operation not permitted' hardrun --restrict-file-systems='tmpfs proc devtmpfs' -- busybox cat /sys/kernel/notes
	refuses 'Operation not permitted' hardrun --restrict-file-systems='~sysfs' -- busybox cat /sys/kernel/notes
	hardrun --restrict-file-systems='tmpfs proc devtmpfs' -- busybox cat /proc/version
	hardrun --restrict-file-systems='~proc' --user=1:1 --caps=none -- busybox cat /sys/kernel/notes >/dev/null
	refuses 'Operation not permitted' hardrun --restrict-file-systems=@known --restrict-file-systems='~proc' -- busybox cat /proc/version
	refuses 'lies on a file system on which nothing may be opened' hardrun --restrict-file-systems='proc' -- busybox true
}

test_parent_removes() {
	hardrun --init --device-policy=closed --tasks-max=20 -- busybox true
	nothing_stays
	hardrun --private-pids --memory-max=50M -- busybox true
	nothing_stays
}

test_kill_mode() {
	hardrun --kill-mode=control-group -- busybox sh -c 'setsid sh -c "trap : TERM HUP; sleep 60" & sleep 0.3'
	equal 'sleepers' "$(pgrep -f 'sleep 60' || :)" ''
	nothing_stays
}

test_made_anew() {
	hardrun --cgroup=/web --tasks-max=7 -- busybox true
	equal 'pids.max' "$(cat "$cgroups/web/pids.max")" 7
	hardrun --cgroup=/web --memory-max=50M -- busybox true
	equal 'pids.max of the next start' "$(cat "$cgroups/web/pids.max" 2>/dev/null || echo max)" max
}

test_below_a_group_with_processes() {
	mkdir "$cgroups/full"
	sleep 60 &
	echo $! >"$cgroups/full/cgroup.procs"
	refuses 'processes are in it' hardrun --cgroup=/full/web --memory-max=50M -- busybox true
	hardrun --cgroup=/full/web --device-policy=closed -- busybox true
	kill $!
}

test_delegate() {
	mkdir -p "$cgroups/delegated"
	# The words of the inner shell are its own.
	# shellcheck disable=SC2016
	hardrun --cgroup=/delegated/web --delegate='memory pids' --delegate-subgroup=main --user=1:1 --caps=none -- busybox sh -c '
		cd /sys/fs/cgroup/delegated/web && mkdir other && echo $$ >other/cgroup.procs && echo "+pids" >cgroup.subtree_control && echo 5 >other/pids.max'
	refuses '' hardrun --cgroup=/delegated/web2 --delegate=yes --user=1:1 --caps=none -- busybox sh -c 'echo $$ >/sys/fs/cgroup/cgroup.procs'
}

# As the entrypoint of a container, alone in its group: it leaves that, which then can hand
# controllers down. With a second process there it cannot.
test_entrypoint() {
	controllers memory pids
	mkdir "$cgroups/container"
	# The words of the inner shell are its own.
	# shellcheck disable=SC2016
	enter='echo $$ >"$1/cgroup.procs" && shift && exec "$@"'
	equal 'memory.max' "$(sh -c "$enter" sh "$cgroups/container" hardrun --memory-max=33554432 --tasks-max=9 -- busybox sh -c "$inner" sh memory.max)" 33554432
	mkdir "$cgroups/shared"
	sleep 60 &
	echo $! >"$cgroups/shared/cgroup.procs"
	refuses 'processes are in it' sh -c "$enter" sh "$cgroups/shared" hardrun --memory-max=33554432 -- busybox true
	kill $!
}
