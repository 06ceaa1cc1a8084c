#!/bin/sh
# Runs in the guest of snapshot.sh: keeps both memory and disk busy and looks at the
# clock, while it is saved and restored without knowing of it.
ticks=$(sed -n 's/.*ticks=\([0-9]*\).*/\1/p' /proc/cmdline)
uptime()
{
	cut -d. -f1 /proc/uptime
}

dd if=/dev/urandom of=/tmp/data bs=64k count=48 2>/dev/null
sum=$(md5sum </tmp/data)
while [ ! -e /tmp/stop ]; do
	dd if=/tmp/data of=/dev/vda bs=64k conv=fsync 2>/dev/null
done &
while [ ! -e /tmp/stop ]; do
	[ "$(md5sum </tmp/data)" = "$sum" ] || echo "SEES memory lost"
done &

i=0
last=$(uptime)
while [ $i -lt "$ticks" ]; do
	sleep 1
	now=$(uptime)
	# the host lets more time pass while we are in a file
	[ $((now - last)) -gt 12 ] && echo "SEES jump from $last to $now"
	[ "$now" -lt "$last" ] && echo "SEES jump back from $last to $now"
	last=$now
	i=$((i + 1))
	echo "TICK $i at $now"
	# migrate.sh can't know how many there will be, and says when it is enough
	grep -q until=balloon /proc/cmdline && grep -q 'balloon_inflate [1-9]' /proc/vmstat && break
done
touch /tmp/stop
wait
[ "$(md5sum </tmp/data)" = "$sum" ] && echo "SEES memory whole"
echo 3 >/proc/sys/vm/drop_caches
[ "$(dd if=/dev/vda bs=64k count=48 2>/dev/null | md5sum)" = "$sum" ] && echo "SEES disk whole"
echo "SEES cpus $(nproc)"
echo "SEES address $(ip -4 addr show eth0 2>/dev/null | grep -c 'inet 10.0.2')"
dmesg | grep -iE 'stall|lockup|blocked for' | sed 's/^/SEES trouble /'
