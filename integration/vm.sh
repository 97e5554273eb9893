#!/bin/sh
# vm.sh [TOPIC...]: a machine with cgroup2 alone and all its controllers. Boots
# Debian's kernels in qemu with bin/hardrun, busybox and vm/tests/*.sh (or those
# of the topics), each in a machine of its own, and prints what the tests said.
#
#	KERNELS   Debian packages to boot instead of the stable cloud kernel and the newest that apt has
#	ACCEL     tcg or kvm, instead of kvm where the processor can virtualise
#	HARDRUN   another static binary than bin/hardrun
#	LIMIT     seconds that a machine may live (300)
#
# Status 0: each test passed on each kernel. 1: something failed. 2: nothing was
# tested. 64: usage. Kernels and busybox are unpacked, never installed: below
# /var/cache/hardrun-vm for root, else in a temporary directory, anew each time.
set -eu
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL=C
limit=${LIMIT:-300}
hardrun=${HARDRUN:-bin/hardrun}
# What the guest needs beyond what Debian builds into its kernels; dependencies come along.
modules='virtio_pci virtio_blk'

untested() {
	echo "vm: $*; nothing was tested" >&2
	exit 2
}

umask 022
work=$(mktemp -d "${TMPDIR:-/tmp}/hardrun-vm.XXXXXX")
qemu=
# Called by the trap.
# shellcheck disable=SC2317
cleanup() {
	if [ -n "$qemu" ]; then
		kill "$qemu" 2>/dev/null || true
		wait "$qemu" 2>/dev/null || true
	fi
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Which tests there are is read from the files here, not learned from the guest.
mkdir "$work/tests"
if [ $# = 0 ]; then
	cp integration/vm/tests/*.sh "$work/tests"
else
	for topic; do
		if ! [ -f "integration/vm/tests/$topic.sh" ]; then
			echo "vm: no topic $topic: integration/vm/tests/$topic.sh is not here" >&2
			exit 64
		fi
		cp "integration/vm/tests/$topic.sh" "$work/tests"
	done
fi
for file in "$work"/tests/*.sh; do
	topic=$(basename "$file" .sh)
	sed -n "s|^test_\\([a-z0-9_]*\\)() {\$|$topic/\\1|p" "$file" >>"$work/names"
	# A test that is written otherwise would not be run.
	if grep -nE '^[[:space:]]*(function[[:space:]]+)?test_[^=]*\(' "$file" | grep -vE '^[0-9]+:test_[a-z0-9_]+\(\) \{$' >&2; then
		echo "vm: $topic: a test begins with a line 'test_NAME() {'" >&2
		exit 1
	fi
done
sort "$work/names" >"$work/wanted"
total=$(wc -l <"$work/wanted")
[ "$total" -gt 0 ] || untested "there is no test"
if [ -n "$(uniq -d "$work/wanted")" ]; then
	echo "vm: two tests have one name:" "$(uniq -d "$work/wanted")" >&2
	exit 1
fi

# What is needed here: a package and a command or a file by which it shows.
machine=$(uname -sm)
[ "$machine" = 'Linux x86_64' ] || untested "this machine is $machine, and the guests are for Linux x86_64"
missing=
for entry in qemu-system-x86:qemu-system-x86_64 e2fsprogs:mkfs.ext4 xz-utils:xz gcc:gcc libc6-dev:/usr/lib/x86_64-linux-gnu/libc.a; do
	case ${entry#*:} in
	/*) [ -e "${entry#*:}" ] && continue ;;
	*) command -v "${entry#*:}" >/dev/null 2>&1 && continue ;;
	esac
	missing="$missing ${entry%%:*}"
done
updated=
update() {
	[ -z "$updated" ] || return 0
	updated=1
	[ "$(id -u)" = 0 ] || return 0
	apt-get update -qq >&2 || echo "vm: apt-get update failed; the lists that are here are used" >&2
}
if [ -n "$missing" ]; then
	command -v apt-get >/dev/null 2>&1 || untested "missing:$missing, and there is no apt-get"
	[ "$(id -u)" = 0 ] || untested "missing:$missing, and only root can install them"
	update
	echo "vm: apt-get install --no-install-recommends$missing"
	# Package names are words.
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >"$work/apt" 2>&1 || {
		cat "$work/apt" >&2
		untested "apt-get cannot install$missing"
	}
fi
command -v qemu-system-x86_64 >/dev/null || untested "qemu-system-x86_64 is not here"
if ! [ -x "$hardrun" ]; then
	[ "$hardrun" = bin/hardrun ] || untested "$hardrun is not here"
	make build || {
		echo "vm: bin/hardrun cannot be built" >&2
		exit 1
	}
fi

cache=$work/cache
if [ "$(id -u)" = 0 ]; then
	cache=/var/cache/hardrun-vm
fi
mkdir -p "$cache"

# Postcondition: $cache/NAME is the unpacked PACKAGE as apt has it, or as it was
# had before where apt has none now. The file "package" in it tells which.
unpack() { # NAME PACKAGE
	want=$(apt-cache policy "$2" 2>/dev/null | sed -n 's/^ *Candidate: //p')
	case $want in
	'' | '(none)')
		[ -f "$cache/$1/package" ] || return 1
		echo "vm: apt has no $2: $(cat "$cache/$1/package") of before is used" >&2
		return 0
		;;
	esac
	if [ "$(cat "$cache/$1/package" 2>/dev/null)" = "$2 $want" ]; then
		return 0
	fi
	update
	new=$(mktemp -d "$cache/new.XXXXXX") || return 1
	# apt-get would drop its rights for a user who cannot write here.
	if (cd "$new" && apt-get download -qq -o APT::Sandbox::User=root "$2" >&2) &&
		dpkg-deb -x "$new"/*.deb "$new/root" &&
		echo "$2 $(dpkg-deb -f "$new"/*.deb Version)" >"$new/root/package" &&
		rm -rf "${cache:?}/$1" && mv "$new/root" "$cache/$1"; then
		rm -rf "$new"
		return 0
	fi
	rm -rf "$new"
	return 1
}

# The package that a meta package of kernels stands for; it itself, where it is none.
kernel_of() {
	image=$(apt-cache depends --important "$1" 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
	echo "${image:-$1}"
}

[ -n "$(apt-cache pkgnames linux-image- 2>/dev/null)" ] || update
kernels=${KERNELS-}
if [ -z "$kernels" ]; then
	kernels=linux-image-cloud-amd64
	newest=$(apt-cache pkgnames linux-image- 2>/dev/null | grep -E '^linux-image-[0-9]+\.[0-9]+-cloud-amd64$' | sort -V | tail -n 1)
	if [ -n "$newest" ]; then
		kernels="$kernels $newest"
	else
		echo "vm: apt has one cloud kernel alone; it is booted"
	fi
fi
unpack busybox busybox-static || untested "busybox-static cannot be had"
busybox=$cache/busybox/bin/busybox
[ -x "$busybox" ] || busybox=$cache/busybox/usr/bin/busybox

accel=${ACCEL-}
if [ -z "$accel" ]; then
	# Without either flag /dev/kvm may be there all the same: one that interprets
	# instructions, and fails at some of Linux's own.
	accel=tcg
	if [ -w /dev/kvm ] && grep -qE '^flags.* (vmx|svm)( |$)' /proc/cpuinfo; then
		accel=kvm
	fi
fi

gcc -static -O1 -Wall -Wextra -Wno-parentheses -o "$work/probe" integration/probe/probe.c
gcc -static -O1 -Wall -Wextra -o "$work/bpf-probe" integration/vm/bpf.c

# add_module KERNEL ROOT NAME: NAME and what it depends on, in the order of loading.
add_module() (
	tree=$1 root=$2
	name=$(echo "$3" | tr '-' '_')
	if tr '-' '_' <"$tree/modules.builtin" | grep -q "/$name\\.ko\$" || grep -qsx "$name.ko" "$root/lib/modules/list"; then
		return 0
	fi
	file=$(find "$tree" -name "$(echo "$name" | sed 's/_/[-_]/g').ko*")
	case $file in
	*.ko) cp "$file" "$root/lib/modules/$name.ko" ;;
	*.ko.xz) xz -dc "$file" >"$root/lib/modules/$name.ko" ;;
	*)
		echo "vm: the kernel has no module $name" >&2
		return 1
		;;
	esac
	for needed in $(tr '\0' '\n' <"$root/lib/modules/$name.ko" | sed -n 's/^depends=//p' | tr ',' ' '); do
		add_module "$tree" "$root" "$needed"
	done
	echo "$name.ko" >>"$root/lib/modules/list"
)

# initramfs KERNEL FILE: PID 1, the tests, and what they use, in FILE.
initramfs() {
	root=$work/root
	rm -rf "$root"
	mkdir -p "$root/bin" "$root/etc" "$root/lib/modules" "$root/vm/tests" "$root/new"
	cp "$busybox" "$root/bin/busybox"
	for applet in $("$busybox" --list); do
		[ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
	done
	cp "$hardrun" "$root/bin/hardrun"
	cp "$work/probe" "$work/bpf-probe" "$root/bin"
	cp integration/vm/*.sh "$root/vm"
	cp "$work"/tests/*.sh "$root/vm/tests"
	chmod 755 "$root"/bin/* "$root"/vm/*.sh
	ln -s vm/init.sh "$root/init"
	printf '%s\n' 'root:x:0:0:root:/:/bin/sh' 'daemon:x:1:1:daemon:/:/bin/false' 'nobody:x:65534:65534:nobody:/:/bin/false' >"$root/etc/passwd"
	printf '%s\n' 'root:x:0:' 'daemon:x:1:' 'nogroup:x:65534:' >"$root/etc/group"
	: >"$root/lib/modules/list"
	for module in $modules; do
		add_module "$1" "$root" "$module"
	done
	(cd "$root" && find . | "$busybox" cpio -o -H newc -R 0:0 >"$2" 2>"$work/cpio") || {
		cat "$work/cpio" >&2
		exit 1
	}
}

# boot DIR: sets bad, unless each wanted test said ok in it, and nothing else did.
boot() {
	image=$(find "$1/boot" -name 'vmlinuz-*')
	release=${image##*/vmlinuz-}
	tree=$1/lib/modules/$release
	[ -d "$tree" ] || tree=$1/usr/lib/modules/$release
	echo "== Linux $release ($(cat "$1/package")), $accel"
	initramfs "$tree" "$work/initrd"
	rm -f "$work/disk"
	truncate -s 64M "$work/disk"
	mkfs.ext4 -q -F "$work/disk"
	: >"$work/console"
	: >"$work/results"
	started=$(date +%s)
	# The second serial line is for the tests alone: the kernel writes to the first.
	timeout -k 5 "$limit" qemu-system-x86_64 -nodefaults -no-user-config -no-reboot -display none -monitor none \
		-accel "$accel" -cpu max -smp 2 -m 512 \
		-kernel "$image" -initrd "$work/initrd" \
		-append "console=ttyS0,115200 panic=-1 quiet cgroup_no_v1=all lsm=landlock,lockdown,yama,integrity,bpf" \
		-drive "file=$work/disk,format=raw,if=none,id=disk,cache=unsafe" -device virtio-blk-pci,drive=disk \
		-serial "file:$work/console" -serial "file:$work/results" </dev/null >"$work/qemu" 2>&1 &
	qemu=$!
	status=0
	wait "$qemu" || status=$?
	qemu=
	took=$(($(date +%s) - started))
	tr -d '\r' <"$work/results" >"$work/said"
	grep -vE '^done ' "$work/said" || true

	sed -n 's/^ok //p' "$work/said" | sort >"$work/ok"
	sed -n 's/^not ok \([^:]*\).*/\1/p' "$work/said" | sort >"$work/refused"
	sort -u "$work/ok" | comm -23 - "$work/refused" | comm -12 - "$work/wanted" >"$work/passed"
	passed=$((passed + $(wc -l <"$work/passed")))
	failed=$((failed + total - $(wc -l <"$work/passed")))
	if [ "$status" = 0 ] && ! [ -s "$work/refused" ] && cmp -s "$work/wanted" "$work/ok" && [ "$(grep '^done ' "$work/said")" = "done $total" ]; then
		echo "   $total of $total passed in ${took} s"
		return
	fi
	bad=1
	case $status in
	0) ;;
	124 | 137) echo "vm: the machine was ended after $limit s" ;;
	*) echo "vm: qemu ended with status $status" ;;
	esac
	if [ -n "$(uniq -d "$work/ok")$(comm -13 "$work/wanted" "$work/ok")" ]; then
		echo "vm: said to be ok twice, or not a test:" "$(uniq -d "$work/ok" | tr '\n' ' ')$(comm -13 "$work/wanted" "$work/ok" | tr '\n' ' ')"
	fi
	for name in $(comm -23 "$work/wanted" "$work/passed" | comm -23 - "$work/refused"); do
		echo "not ok $name: the machine did not say how it ended"
	done
	if ! grep -qx "done $total" "$work/said"; then
		echo "vm: the machine did not say 'done $total'; the last of its console, and what qemu said:"
		tr -d '\r' <"$work/console" | tail -n 30
		cat "$work/qemu"
	fi
}

passed=0
failed=0
booted=0
bad=0
for kernel in $kernels; do
	package=$(kernel_of "$kernel")
	if ! unpack "$kernel" "$package"; then
		echo "vm: NOT TESTED: the kernel $kernel cannot be had" >&2
		bad=1
		continue
	fi
	booted=$((booted + 1))
	# Not in a condition, which would let what fails inside go on.
	boot "$cache/$kernel"
done
[ "$booted" -gt 0 ] || untested "no kernel can be had"
echo "$passed passed, $failed failed"
exit "$bad"
