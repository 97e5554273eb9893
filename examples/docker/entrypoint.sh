#!/bin/sh
# As root it prepares, then starts itself anew as the user; "$0" stays what it was.
set -eu
if [ "$(id -u)" = 0 ]; then
	chown -R redis: /data
	exec hardrun --user=redis --caps=none --no-new-privs --system-call-filter=@system-service -- "$0" "$@"
fi
exec "$@"
