#!/bin/sh
# load.sh CPUS N: in a machine with fewer CPUs, a Linux guest forks, pipes, sleeps and
# passes messages to the end. Prints TAP.
cpus=${1:-4} load=${2:-10}
n=0 bad=0
ok()
{
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n $2"
	else
		echo "not ok $n $2"
		bad=$((bad + 1))
	fi
}
sees()
{
	grep -q "^SEES $1$" /tmp/load.out
	ok $? "guest: $2"
}

limen run --kernel /guest/vmlinuz --initrd /guest/load.gz \
	--append "console=ttyS0 quiet limen_load=$load" \
	--memory 256 --cpus "$cpus" --timeout 200 --stats >/tmp/load.raw 2>/tmp/load.err </dev/null
status=$?
tr -d '\r' </tmp/load.raw >/tmp/load.out
sed 's/^/# /' /tmp/load.out /tmp/load.err
ok $status "limen run returns 0 when the guest powers off"
sees "cpus $cpus" "sees $cpus CPUs"
sees "workers 8" "eight workers fork, pipe and sleep to the end"
sees "lines $((load * 50))" "pipes lose no line"
sees "messages by 16 of 16" "every message arrives"
sees "token $((load * 2 * cpus))" "a token goes round all CPUs"
sees "unmapped $((load * 2 * cpus)), 0 stale" "what is unmapped is gone on all CPUs"
! grep -qiE "stall|lockup|BUG:|Oops|WARNING: CPU" /tmp/load.out
ok $? "guest: no stall, no oops"
for kind in host_irq hlt npf io; do
	grep -q "exit_$kind  *[1-9]" /tmp/load.err
	ok $? "--stats counts exits of the kind $kind"
done
echo "1..$n"
[ $bad = 0 ]
