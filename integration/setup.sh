#!/bin/sh
# setup.sh demo|test|bench|release: installs the Debian packages which that needs and
# which are missing, and names them before it does. Without root or apt-get it
# installs nothing and lists what is missing; what needs it then says so itself.
set -eu
cd "$(dirname "$0")/.."

# A package, a command or a file by which it shows, and the service that it brings, if any.
demo='bind9:named:named bind9-dnsutils:dig libcap2-bin:capsh iproute2:ip musl-tools:musl-gcc'
bench='musl-tools:musl-gcc runit:chpst gosu:gosu bubblewrap:bwrap firejail:firejail runc:runc libseccomp-dev:/usr/include/seccomp.h'
release='musl-tools:musl-gcc gcc-aarch64-linux-gnu:aarch64-linux-gnu-gcc faketime:faketime'
test="$demo $release strace:strace bubblewrap:bwrap runc:runc runit:chpst s6:s6-svc execline:execlineb gosu:gosu unbound:unbound:unbound dns-root-data:/usr/share/dns/root.key nginx-light:nginx:nginx redis-server:redis-server:redis-server curl:curl nodejs:node python3:/usr/bin/python3 libcap-ng-utils:pscap pkg-config:pkg-config libseccomp-dev:/usr/include/seccomp.h"

case ${1-} in
demo) wanted=$demo ;;
bench) wanted=$bench ;;
release) wanted=$release ;;
test) wanted=$test ;;
*)
	echo "usage: setup.sh demo|test|bench|release" >&2
	exit 64
	;;
esac

PATH=$PATH:/usr/sbin:/sbin
missing=
services=
for entry in $wanted; do
	package=${entry%%:*} command=${entry#*:}
	service=${command#*:} command=${command%%:*}
	case $command in
	/*) [ -e "$command" ] && continue ;;
	*) command -v "$command" >/dev/null 2>&1 && continue ;;
	esac
	missing="$missing $package"
	if [ "$entry" = "$package:$command:$service" ]; then
		services="$services $service"
	fi
done

# OpenRC is unpacked, not installed: its package conflicts with sysv-rc and moves
# the machine's services into runlevels of its own.
openrc=
if [ "$1" = test ] && ! command -v supervise-daemon >/dev/null 2>&1 && ! [ -x bin/peers/openrc/usr/sbin/supervise-daemon ]; then
	openrc='openrc librc1 libeinfo1'
fi

# So are the daemons whose unit files are tested: nobody wants 40 services installed.
# Together with what they need they are 20 to 40 MB to download.
units='anacron at atftpd avahi-daemon beanstalkd chrony cron dbus dnsmasq haproxy knot lighttpd lldpd logrotate man-db memcached mosquitto ngircd nsd oidentd openbsd-inetd openssh-server openvpn privoxy rpcbind rsync rsyslog stunnel4 systemd tinyproxy tor uuid-runtime vsftpd'
daemons=
if [ "$1" = test ] && [ "$(cat bin/peers/daemons/packages 2>/dev/null)" != "$units" ]; then
	daemons=$units
fi

# For the binary of arm64, unpacked as well: its musl, which is a package of that architecture,
# and the emulator, which would make the kernel run all of arm64's programs if it were installed.
arm64=
case $1 in
test | release)
	if [ "$(uname -m)" = x86_64 ] && ! [ -e bin/peers/arm64/musl ]; then
		arm64='musl-dev:arm64 qemu-user-static'
	fi
	;;
esac

# The unit files of 150 packages are downloaded, 80 MB, and the 2 MB of units in them kept.
if [ "$1" = test ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
	corpus=$(mktemp -d)
	sh integration/packages.sh "$corpus" || echo "setup: not all unit files could be fetched; their test says so"
	rm -rf "$corpus"
fi

if [ -z "$missing$openrc$daemons$arm64" ]; then
	echo "setup: nothing to install for $1"
	exit 0
fi

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
	echo "setup: missing for $1:$missing${openrc:+ openrc}${daemons:+ $daemons}${arm64:+ $arm64}"
	echo "setup: nothing is installed, as this $([ "$(id -u)" = 0 ] && echo 'machine has no apt-get' || echo 'is not root'); what needs them is skipped, and says so"
	exit 0
fi

# What a package's installation would start must not run: hardrun is to use port
# 53, not Debian's own named. This file is Debian's way to say so; one that is
# there already is left alone, as its owner has decided.
policy=/usr/sbin/policy-rc.d
ours=
if [ -n "$missing" ] && ! [ -e "$policy" ]; then
	ours=$policy
fi
# Invoked by trap.
# shellcheck disable=SC2329
cleanup() {
	if [ -n "$ours" ]; then
		rm -f "$ours"
	fi
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

export DEBIAN_FRONTEND=noninteractive
echo "setup: for $1, these Debian packages are missing:$missing${openrc:+ openrc (unpacked below bin/peers, not installed)}${daemons:+ and, unpacked as well, $daemons}${arm64:+ and, unpacked as well, $arm64}"
if ! apt-get update -qq; then
	echo "setup: apt-get update failed; the lists that are here are used"
fi

if [ -n "$missing" ]; then
	echo "setup: apt-get install --no-install-recommends$missing"
	if [ -n "$ours" ]; then
		echo "setup: no service is started by that ($policy says so until it is done)"
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
	fi
	# Package names are words.
	# shellcheck disable=SC2086
	apt-get install -y -qq --no-install-recommends $missing
	for service in $services; do
		# A package enables its service for the next boot; nobody asked for one.
		echo "setup: the service $service is disabled, so that it does not start at the next boot, either"
		update-rc.d "$service" disable >/dev/null 2>&1 || echo "setup: update-rc.d $service disable failed: see to it if this machine is to be rebooted"
	done
fi

# unpack FETCH... fetches packages into $work, and unpacks them into $work/root. The tests
# lay that over /usr, where Debian keeps /lib, /bin and /sbin.
unpack() {
	mkdir -p "$work/partial" "$work/root"
	# apt-get would drop its rights for a user who cannot write here.
	(cd "$work" && apt-get -qq -o APT::Sandbox::User=root -o Dir::Cache::archives="$PWD" "$@") || return 1
	for deb in "$work"/*.deb; do
		dpkg-deb -x "$deb" "$work/root" || return 1
	done
	for dir in bin sbin lib lib64; do
		if [ -d "$work/root/$dir" ] && ! [ -L "$work/root/$dir" ]; then
			mkdir -p "$work/root/usr/$dir" && cp -a "$work/root/$dir/." "$work/root/usr/$dir/" && rm -r "${work:?}/root/$dir" || return 1
		fi
	done
}

if [ -n "$openrc$daemons$arm64" ]; then
	mkdir -p bin/peers
	work=$(mktemp -d bin/peers/new.XXXXXX)
fi
if [ -n "$openrc" ]; then
	# Package names are words.
	# shellcheck disable=SC2086
	if unpack download $openrc; then
		rm -rf bin/peers/openrc
		mv "$work/root" bin/peers/openrc
		echo "setup: OpenRC is unpacked in bin/peers/openrc"
	else
		echo "setup: OpenRC could not be fetched; its tests are skipped, and say so"
	fi
	rm -rf "${work:?}"/*
fi
if [ -n "$daemons" ]; then
	# What they need and the machine has is not fetched.
	# shellcheck disable=SC2086
	if unpack install -y --no-install-recommends --download-only $daemons; then
		echo "$daemons" >"$work/root/packages"
		rm -rf bin/peers/daemons
		mv "$work/root" bin/peers/daemons
		echo "setup: the daemons are unpacked in bin/peers/daemons"
	else
		echo "setup: the daemons could not be fetched; their tests are skipped, and say so"
	fi
fi
if [ -n "$arm64" ]; then
	rm -rf "${work:?}"/*
	# With lists of their own: this machine's dpkg and apt-get need not know of arm64.
	mkdir -p "$work/lists/partial"
	lists="-o APT::Architectures::=amd64 -o APT::Architectures::=arm64 -o Dir::State::lists=$PWD/$work/lists -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root"
	# Package names and options are words.
	# shellcheck disable=SC2086
	if apt-get -qq $lists update && unpack $lists download $arm64; then
		dpkg-deb -f "$work"/musl-dev_*_arm64.deb Version >"$work/root/musl"
		find "$work/root/usr/bin" -name 'qemu-*-static' ! -name qemu-aarch64-static -delete
		rm -rf bin/peers/arm64
		mv "$work/root" bin/peers/arm64
		echo "setup: musl and qemu for arm64 are unpacked in bin/peers/arm64"
	else
		echo "setup: musl and qemu for arm64 could not be fetched; what needs them says so"
	fi
fi
if [ -n "$openrc$daemons$arm64" ]; then
	rm -rf "$work"
fi
