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

echo "KTAP version 1"
echo "1..12"
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
echo "# $((n - failed)) passed, $failed failed"
[ $failed = 0 ]
