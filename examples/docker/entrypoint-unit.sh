#!/bin/sh
# A container in which nginx runs by the unit file of its package. hardrun is process 1: it finds the daemon that went
# into the background, makes of "docker stop" what the unit says of a stop, reaps, and ends as the service does. A
# container has no control group to give away, so KillMode= is kept for the processes that descend from it.
set -eu
exec hardrun --unit=nginx "$@"
