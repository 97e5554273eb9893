#!/bin/sh
# PID 1 of the initramfs: moves all of it to a file system that can be left by
# pivot_root(2), as the root of any other machine can, and goes on in run.sh.
set -eu
export PATH=/bin
mount -t devtmpfs dev /dev
exec </dev/console >/dev/console 2>&1
mount -t tmpfs -o mode=755 root /new
cp -a /bin /etc /lib /vm /new
cd /new
mkdir dev proc sys run tmp usr var root srv home mnt
mount --move /dev /new/dev
exec switch_root /new /vm/run.sh
