#!/bin/sh
# Runs in the guest, as its first program: load like that of a build (forks, pipes,
# timers), then messages. limen_load=N on the kernel's command line says how much.
n=$(sed -n 's/.*limen_load=\([0-9]*\).*/\1/p' /proc/cmdline)
now() { cut -d' ' -f1 /proc/uptime; }
echo "SEES cpus $(nproc)"

sum=$(seq 1 200 | sort -r | md5sum)
worker()
{
	i=0
	while [ $i -lt "$n" ]; do
		[ "$(seq 1 200 | sort -r | md5sum)" = "$sum" ] || exit 1
		usleep 2000
		i=$((i + 1))
	done
	echo "to the end" >"/tmp/worker.$1"
}
start=$(now)
for w in 1 2 3 4 5 6 7 8; do worker $w & done
wait
echo "SEES workers $(cat /tmp/worker.* | wc -l)"
echo "load: workers from $start to $(now)"

for p in 1 2 3 4; do
	seq 1 $((n * 50)) | cat | cat | cat | wc -l >/tmp/lines.$p &
done
wait
echo "SEES lines $(sort -u /tmp/lines.*)"
echo "load: pipes to $(now)"
/messages 2 4 $((n * 2))
echo "load: messages to $(now)"
grep -E 'LOC|RES|CAL|TLB' /proc/interrupts
