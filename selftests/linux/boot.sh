#!/bin/sh
# boot.sh CPUS: in the machine, boots Debian's own kernel under `limen run` and
# checks what it sees. Prints TAP.
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
sees()
{
	grep -q "^SEES $1" /tmp/guest.out
	ok $? "guest: $2"
}

dd if=/dev/zero of=/tmp/disk bs=1M count=8 2>/dev/null
echo "written by the host" | dd of=/tmp/disk bs=512 seek=1 conv=notrunc 2>/dev/null
limen run --kernel /guest/vmlinuz --initrd /guest/initrd.gz --append "console=ttyS0 quiet" \
	--memory 256 --cpus "$cpus" --disk /tmp/disk --net user --rng --balloon 32 --timeout 800 --stats \
	>/tmp/guest.raw 2>/tmp/guest.err </dev/null
status=$?
tr -d '\r' </tmp/guest.raw >/tmp/guest.out
sed 's/^/# /' /tmp/guest.out
sed 's/^/# /' /tmp/guest.err
ok $status "limen run returns 0 when the guest powers off"
sees "kernel 6.1" "boots Debian's 6.1 to user space"
sees "cpus $cpus" "sees $cpus CPUs"
sees "clock kvm-clock" "uses kvm-clock as its clock source"
sees "x2apic" "uses x2APIC"
if [ "$cpus" -gt 1 ]; then
	sees "pv spinlocks" "waits for its locks in HLT"
	sees "pv ipis" "sends its IPIs by hypercall"
fi
# a VT-x CPU may do that by itself
if grep -qw svm /proc/cpuinfo; then
	grep -q "pv_eois" /tmp/guest.err
	ok $? "guest: ends interrupts without an exit"
fi
sees "disk 16384" "finds the virtio disk"
sees "text written by the host" "reads the disk"
head -c 20 /tmp/disk | grep -q "written by the guest"
ok $? "what the guest wrote is in the file"
sees "address inet 10.0.2" "gets an address by DHCP from the user network"
sees "hwrng virtio_rng" "finds the virtio random source"
sees "a second" "its clock goes on"
sees "balloon 8192" "puts what it was asked for into the balloon"
[ "$(sed -n 's/^  reported  *//p' /tmp/guest.err)" -gt 0 ]
ok $? "the guest reports its free pages"
[ "$(sed -n 's/^  discarded  *//p' /tmp/guest.err)" -gt 33554432 ]
ok $? "what is in the balloon and what is free went back to the host"
sees "edge 4" "takes the virtio devices' interrupts as edges"
# --stats: "notified N" by the kernel, "notify_exits N" through the vCPU's thread
[ "$(grep -c '^  notified  *[1-9]' /tmp/guest.err)" = 4 ]
ok $? "every virtio device is notified by its ioeventfd"
[ "$(grep -c '^  notify_exits  *0$' /tmp/guest.err)" = 4 ]
ok $? "no notification of a virtio device is an exit to user space"
echo "1..$n"
[ $bad = 0 ]
