#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Run the small guests beside this script under 'limen run' and compare how they
# end; KTAP. Needs /dev/limen: lab/run --add build/user/guests -- sh guests/check.sh
cd "$(dirname "$0")" || exit 1
n=0
failed=0

# claim, status wanted, text wanted in the output, arguments of limen run
check()
{
	claim=$1 want=$2 text=$3
	shift 3
	n=$((n + 1))
	out=$(limen run --timeout 60 "$@" </dev/null 2>&1)
	got=$?
	if [ $got = "$want" ] && echo "$out" | grep -q -- "$text"; then
		echo "ok $n $claim"
	else
		echo "# limen run $*"
		echo "$out" | sed 's/^/# /'
		echo "# status $got, not $want with '$text'"
		echo "not ok $n $claim"
		failed=$((failed + 1))
	fi
}

# claim, 0 if it holds
claim()
{
	n=$((n + 1))
	if [ "$2" = 0 ]; then
		echo "ok $n $1"
	else
		echo "not ok $n $1"
		failed=$((failed + 1))
	fi
}

# until something in the background listens
socket()
{
	i=0
	while [ ! -S "${1:-vm}" ] && [ $i -lt 30 ]; do
		sleep 1
		i=$((i + 1))
	done
}

echo "KTAP version 1"
echo "1..26"
printf hello >module
out=$(hello)
n=1
case $out in
"Hello from a guest"*"status: 42"*) echo "ok 1 hello_prints" ;;
*) echo "# $out"; echo "not ok 1 hello_prints"; failed=1 ;;
esac
check multiboot_guest_finds_the_board_right 1 "" \
	--kernel board.elf --initrd module --append x=1 --testdev --memory 16
check second_cpu_starts_by_sipi 5 "the second CPU runs" \
	--kernel smp.bin --flat 0x8000 --cpus 2 --memory 16
check triple_fault_is_status_100 100 "triple fault" \
	--kernel end1.bin --flat 0x7c00 --memory 16
check undecodable_mmio_is_status_102_with_its_bytes 102 "db 05 00 00 00 d8" \
	--kernel end2.bin --flat 0x7c00 --memory 16
check timeout_is_status_124 124 "time-out after 1 s" \
	--kernel end3.bin --flat 0x7c00 --memory 16 --timeout 1
check reset_ends_with_0 0 "reset" \
	--kernel end4.bin --flat 0x7c00 --memory 16
check power_off_ends_with_0_and_stats 0 "guest_ns" \
	--kernel end5.bin --flat 0x7c00 --memory 16 --stats
check execution_without_memory_is_status_102 102 "executes where no memory is" \
	--kernel end6.bin --flat 0x7c00 --memory 16
check tight_loop_ends_by_timeout 124 "time-out" \
	--kernel end7.bin --flat 0x7c00 --memory 16 --timeout 1 --cpus 2
check bad_feature_is_refused 2 "not offered" \
	--kernel end5.bin --flat 0x7c00 --cpu-features +vmx
check missing_image_is_refused 2 "No such file" --kernel /nonexistent

# What is behind guest memory
truncate -s 16M memory
truncate -s 15M short
pages=$(cat /proc/sys/vm/nr_hugepages 2>/dev/null)
set -- --kernel end5.bin --flat 0x7c00 --memory 16
check memory_on_a_memfd 0 "" "$@" --mem-backend memfd
printf rubbish | dd of=memory bs=1 seek=$((0x7e00)) conv=notrunc 2>/dev/null
check memory_in_a_file 0 "" "$@" --mem-backend file=memory
check a_short_file_is_refused 2 "wants 16777216" "$@" --mem-backend file=short
check memory_at_once 0 "" "$@" --mem-prealloc --mem-merge
check a_node_that_is_not_there_is_refused 2 "NUMA" "$@" --numa 77
echo 0 >/proc/sys/vm/nr_hugepages
check too_few_huge_pages_are_refused 2 "nr_hugepages" "$@" --mem-backend hugetlb
echo 8 >/proc/sys/vm/nr_hugepages
check memory_on_huge_pages 0 "" "$@" --mem-backend hugetlb --mem-prealloc
echo "$pages" >/proc/sys/vm/nr_hugepages
[ "$(head -c $((0x7e07)) memory | tail -c 7)" = rubbish ]
claim memory_in_a_file_starts_as_zeros $((!$?))

# Saving: two CPUs in a tight loop, one of which has not been started
limen run --kernel end7.bin --flat 0x7c00 --memory 16 --cpus 2 --control ./vm --timeout 60 &
socket
limen snapshot --quit ./vm saved
claim snapshot_ends_the_vm $?
wait
limen run --restore saved --control ./vm --paused --timeout 60 &
socket
limen snapshot ./vm again && cmp saved again
claim save_restore_save_gives_the_same_bytes $?
limen go ./vm && sleep 1 && limen snapshot --quit ./vm again
claim a_restored_vm_runs $?
wait
head -c 10000 saved >saved.part
check a_cut_file_is_refused 2 "cut off" --restore saved.part
limen run --incoming unix:move --timeout 2 >out 2>&1 &
limen run --restore saved --control ./vm --timeout 60 &
socket
socket move
limen migrate ./vm unix:move
claim migration_ends_the_source $?
wait
grep -q time-out out
claim migration_begins_at_the_destination $?
rm -f memory short saved again saved.part out
echo "# $((n - failed)) passed, $failed failed"
[ $failed = 0 ]
