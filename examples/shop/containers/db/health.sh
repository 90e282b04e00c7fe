#!/bin/sh
# Healthy when the store answers and its volume can be written.
set -eu
answer=$(printf 'PING\n' | busybox nc -w 2 127.0.0.1 5432)
[ "$answer" = OK ] || { echo "the store answered \"$answer\""; exit 1; }
