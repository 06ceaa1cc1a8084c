#!/bin/sh
# lifecycle.sh [CYCLES [TEST...]]: load the module, run guests, unload it, again and
# again. For the inside of a machine; leaves the module loaded as it was.
cycles=${1:-10}
[ $# -gt 0 ] && shift
dir=$(cd "$(dirname "$0")" && pwd)
log=/tmp/lifecycle.$$
trap 'rm -f "$log"' EXIT

[ $# = 0 ] && set -- smoke

echo "TAP version 13"
echo "1..1"
fail()
{
	sed 's/^/# /' "$log"
	echo "not ok 1 lifecycle: cycle $i: $*"
	modprobe limen 2>/dev/null
	exit 1
}

i=0
: >"$log"
if ! grep -q '^limen ' /proc/modules; then
	echo "ok 1 lifecycle # SKIP limen is not a loaded module here"
	exit 4
fi
rmmod limen >"$log" 2>&1 || fail "the first rmmod"
while [ "$i" -lt "$cycles" ]; do
	i=$((i + 1))
	modprobe limen >"$log" 2>&1 || fail "modprobe"
	[ -c /dev/limen ] || fail "no /dev/limen"
	for t; do
		"$dir/$t" >"$log" 2>&1 || fail "$t"
		grep -q '^ok ' "$log" || fail "$t did not run"
	done
	rmmod limen >"$log" 2>&1 || fail "rmmod"
	[ -e /dev/limen ] && fail "/dev/limen is still there"
done
modprobe limen >"$log" 2>&1 || fail "the last modprobe"
echo "ok 1 lifecycle: $cycles cycles"
