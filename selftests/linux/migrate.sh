#!/bin/sh
# migrate.sh CPUS MOVES: in the machine, moves Debian's kernel under load between two
# processes, there and back. Prints TAP.
cpus=${1:-2} moves=${2:-20}
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
# run NUMBER OPTIONS...: a VM in the background
run()
{
	number=$1
	shift
	: >"/tmp/out$number"
	limen run --verbose --disk /tmp/disk --net user --timeout 1500 --control "/tmp/vm$number" "$@" \
		>"/tmp/out$number" 2>"/tmp/err$number" </dev/null &
	pid=$!
}
# wait_for SECONDS COMMAND...
wait_for()
{
	i=$1
	shift
	while ! "$@" && [ "$i" -gt 0 ]; do
		sleep 1
		i=$((i - 1))
	done
	"$@"
}
ticked()
{
	grep -aq '^TICK' "/tmp/out$1"
}

dd if=/dev/zero of=/tmp/disk bs=1M count=4 2>/dev/null
run 0 --kernel /guest/vmlinuz --initrd /guest/initrd.gz --memory 128 --cpus "$cpus" --rng \
	--balloon 0 --append "console=ttyS0 quiet ticks=9999 until=balloon"
wait_for 600 ticked 0
ok $? "the guest is under load"
k=0 failed=0
while [ $k -lt "$moves" ] && [ $failed = 0 ]; do
	source=$pid
	run $((k + 1)) --incoming unix:/tmp/move
	wait_for 30 test -S /tmp/move
	limen migrate "/tmp/vm$k" unix:/tmp/move && wait $source || failed=1
	k=$((k + 1))
	# so that each process has run it for a while
	wait_for 60 ticked $k || failed=1
done
ok $failed "it was moved $k times"
limen balloon "/tmp/vm$k" 4
wait $pid
ok $? "it comes to its end where it is last"
k=0
while [ $k -le "$moves" ]; do
	cat /tmp/out$k
	sed 's/^/# /' /tmp/err$k >&2
	k=$((k + 1))
done 2>/tmp/guest.err | tr -d '\r' >/tmp/guest.out
sed 's/^/# /' /tmp/guest.out
cat /tmp/guest.err
[ "$(grep -a '^TICK' /tmp/guest.out | awk '$2 != ++n { bad = 1 } END { print bad + 0 }')" = 0 ]
ok $? "guest: it ticked each time once"
grep -aq '^SEES memory whole' /tmp/guest.out && ! grep -aq 'SEES memory lost' /tmp/guest.out
ok $? "guest: its memory is whole"
grep -aq '^SEES disk whole' /tmp/guest.out
ok $? "guest: its disk is whole"
! grep -aqE '^SEES (jump|trouble)' /tmp/guest.out
ok $? "guest: its clock and its kernel have no complaint"
echo "1..$n"
[ $bad = 0 ]
