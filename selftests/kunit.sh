#!/bin/sh
# In the machine, on a kernel with KUnit: run every suite and print its KTAP.
insmod /limen_kunit.ko || exit 1
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
status=0
for results in /sys/kernel/debug/kunit/*/results; do
	cat "$results"
	grep -q '^ *not ok' "$results" && status=1
done
rmmod limen_kunit || status=1
exit $status
