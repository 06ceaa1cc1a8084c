#!/bin/sh
# Runs in the guest, as its first program: says what it sees, in words that
# boot.sh looks for.
echo "SEES cpus $(nproc)"
echo "SEES clock $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
echo "SEES kernel $(uname -r)"
dmesg | grep -q 'x2apic enabled' && echo "SEES x2apic"
dmesg | grep -q 'PV spinlocks enabled' && echo "SEES pv spinlocks"
dmesg | grep -q 'setup PV IPIs' && echo "SEES pv ipis"
if [ -b /dev/vda ]; then
	echo "SEES disk $(cat /sys/block/vda/size)"
	echo "written by the guest" | dd of=/dev/vda bs=512 count=1 conv=sync,fsync 2>/dev/null
	echo "SEES text $(dd if=/dev/vda bs=512 skip=1 count=1 2>/dev/null | head -n 1)"
fi
ip -4 addr show eth0 2>/dev/null | grep -o 'inet [0-9.]*' | sed 's/^/SEES address /'
grep -c avx2 /proc/cpuinfo | sed 's/^/SEES avx2 /'
[ -c /dev/hwrng ] && echo "SEES hwrng $(cat /sys/class/misc/hw_random/rng_current 2>/dev/null)"
echo "SEES edge $(grep -c 'IO-APIC.*-edge.*virtio' /proc/interrupts)"
# free pages are reported two seconds after there are enough of them
i=0
while [ $i -lt 20 ] && ! grep -q 'balloon_inflate 8192' /proc/vmstat; do
	sleep 1
	i=$((i + 1))
done
sleep 3
echo "SEES balloon $(sed -n 's/^balloon_inflate //p' /proc/vmstat)"
a=$(cat /proc/uptime); sleep 1; echo "SEES a second from ${a% *} to $(cut -d' ' -f1 /proc/uptime)"
