#!/bin/sh
# In the machine: memtest86+ starts and ends its first test. Prints TAP.
limen run --kernel /guest/memtest.bin --append "console=ttyS0,115200" --memory 8 \
	--timeout "${1:-240}" >/tmp/memtest.out 2>/tmp/memtest.err </dev/null &
pid=$!
i=0 started=1 first=1
while [ $i -lt "${1:-240}" ] && kill -0 $pid 2>/dev/null; do
	grep -q 'Memtest86+' /tmp/memtest.out && started=0
	# the screen's fourth line names the test that runs. Only what changes is drawn
	# again, so the name of a later test is there whole, or a part of it.
	grep -aqE '4;35H #[1-9]|Moving inv|own addr' /tmp/memtest.out && first=0 && break
	sleep 1
	i=$((i + 1))
done
kill $pid 2>/dev/null
wait $pid
[ $started = 0 ] && echo "ok 1 memtest86+ starts" || echo "not ok 1 memtest86+ starts"
[ $first = 0 ] && echo "ok 2 memtest86+ ends its first test" || echo "not ok 2 memtest86+ ends its first test"
sed 's/^/# /' /tmp/memtest.err | head -n 20
echo "1..2"
[ $started$first = 00 ]
