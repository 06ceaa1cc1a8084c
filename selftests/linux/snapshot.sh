#!/bin/sh
# snapshot.sh CPUS: in the machine, saves Debian's kernel under load and restores it.
# Prints TAP.
cpus=${1:-2}
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
# run OUT OPTIONS...: a VM in the background, its control socket at /tmp/vm
run()
{
	out=$1
	shift
	: >"$out"	# ticks may look before the VM has begun
	limen run --disk /tmp/disk --net user --timeout 900 --control /tmp/vm "$@" \
		>"$out" 2>"$out.err" </dev/null &
	pid=$!
}
# ticks OUT N: wait until the guest has ticked N times in OUT
ticks()
{
	i=0
	while [ "$(grep -ac '^TICK' "$1")" -lt "$2" ] && [ $i -lt 600 ] && kill -0 $pid 2>/dev/null; do
		sleep 1
		i=$((i + 1))
	done
	[ "$(grep -ac '^TICK' "$1")" -ge "$2" ]
}
socket()
{
	i=0
	while [ ! -S /tmp/vm ] && [ $i -lt 60 ] && kill -0 $pid 2>/dev/null; do
		sleep 1
		i=$((i + 1))
	done
}

dd if=/dev/zero of=/tmp/disk bs=1M count=4 2>/dev/null
run /tmp/first --kernel /guest/vmlinuz --initrd /guest/initrd.gz --memory 160 --cpus "$cpus" --rng \
	--balloon 8 --append "console=ttyS0 quiet ticks=14"
ticks /tmp/first 3
ok $? "the guest is under load"
limen balloon /tmp/vm 4 && sleep 2
limen balloon /tmp/vm >/tmp/balloon
grep -q '^actual 4194304$' /tmp/balloon && grep -q '^total_memory [1-9]' /tmp/balloon
ok $? "its balloon follows, and it tells its statistics"
limen snapshot /tmp/vm /tmp/live.limen
ok $? "it is saved"
ticks /tmp/first 5
ok $? "it goes on after it was saved"
limen snapshot --quit /tmp/vm /tmp/vm.limen
ok $? "it is saved to be ended"
wait $pid
ok $? "it is ended"

size=$(stat -c %s /tmp/vm.limen)
head -c $((size / 2)) /tmp/vm.limen >/tmp/bad.limen
limen run --restore /tmp/bad.limen --disk /tmp/disk --net user 2>/tmp/bad.err
[ $? = 2 ] && grep -q 'cut off' /tmp/bad.err
ok $? "a file that is cut off is refused"
cp /tmp/vm.limen /tmp/bad.limen
printf 'x' | dd of=/tmp/bad.limen bs=1 seek=$((size / 3)) conv=notrunc 2>/dev/null
limen run --restore /tmp/bad.limen --disk /tmp/disk --net user 2>/tmp/bad.err
[ $? = 2 ] && grep -q 'altered' /tmp/bad.err
ok $? "a file that was altered is refused"
limen run --restore /tmp/vm.limen --net user 2>/tmp/bad.err
[ $? = 2 ] && grep -q 'give --disk' /tmp/bad.err
ok $? "a file is refused without its disk"
rm /tmp/bad.limen /tmp/live.limen

sleep 15
run /tmp/second --restore /tmp/vm.limen --paused
socket
limen snapshot /tmp/vm /tmp/again.limen
cmp /tmp/vm.limen /tmp/again.limen
ok $? "saved, restored and saved again without running it is the same bytes"
rm /tmp/again.limen
limen balloon /tmp/vm | grep -q '^actual 4194304$' && limen go /tmp/vm
ok $? "it is restored"
ticks /tmp/second 3
ok $? "it goes on after it was restored"
limen snapshot --quit /tmp/vm /tmp/vm.limen
ok $? "what was restored is saved"
wait $pid
run /tmp/third --restore /tmp/vm.limen --mem-backend memfd
wait $pid
ok $? "restored once more, on other memory, it comes to its end"

cat /tmp/first /tmp/second /tmp/third | tr -d '\r' >/tmp/guest.out
sed 's/^/# /' /tmp/guest.out
sed 's/^/# /' /tmp/first.err /tmp/second.err /tmp/third.err
[ "$(grep -a '^TICK' /tmp/guest.out | awk '$2 != ++n { bad = 1 } END { print n, bad + 0 }')" = "14 0" ]
ok $? "guest: it ticked each time once"
grep -aq '^SEES memory whole' /tmp/guest.out && ! grep -aq 'SEES memory lost' /tmp/guest.out
ok $? "guest: its memory is whole"
grep -aq '^SEES disk whole' /tmp/guest.out
ok $? "guest: its disk is whole"
! grep -aq '^SEES jump' /tmp/guest.out
ok $? "guest: its clock went on from where it stood"
! grep -aq '^SEES trouble' /tmp/guest.out
ok $? "guest: its kernel has no complaint"
grep -aq "^SEES cpus $cpus" /tmp/guest.out
ok $? "guest: it has all its CPUs"
echo "1..$n"
[ $bad = 0 ]
