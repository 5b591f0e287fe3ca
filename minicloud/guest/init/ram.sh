#!/bin/sh
# First program when everything lives in memory: give the real init a /dev and start it.
mount -t devtmpfs dev /dev
exec /sbin/init </dev/console >/dev/console 2>&1
