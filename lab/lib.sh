# shellcheck shell=bash disable=SC2034
# What every lab script needs: where things are, and which cached part is which.
#
# A part is one thing lab/setup makes (a kernel, Bochs, ...). It lives in
# CACHE/NAME-KEY, where KEY is a hash of what it is made from, and counts as made
# once the file .complete is in it, which is written last.

lab_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lab_root=$(dirname "$lab_dir")
lab_cache=${XDG_CACHE_HOME:-$HOME/.cache}/limen

lab_kernels="test debug 6.1 6.12 7.2"

die()
{
	echo "${0##*/}: $*" >&2
	exit 125
}

say()
{
	echo "${0##*/}: $*" >&2
}

is_kernel()
{
	case " $lab_kernels " in
	*" $1 "*) return 0 ;;
	esac
	return 1
}

# Bump a recipe's number when lab/setup makes that part differently.
part_recipe()
{
	case $1 in
	bochs)	echo "bochs 3.0 trixie source 2"
		cat "$lab_dir"/bochs/*.patch
		;;
	guest)	echo "busybox-static memtest86+ bookworm 1" ;;
	src)	echo "linux-source-6.1 bookworm 1" ;;
	6.1)	echo "linux-6.1 bookworm 2" ;;
	6.12)	echo "linux-6.12 bookworm-security 1" ;;
	7.2)	echo "linux-7.2 trixie-backports 1" ;;
	chroot)	echo "gcc-14 pahole trixie 1" ;;
	stock)	echo "debian bookworm with packaging tools 2" ;;
	test)	echo "test 1"
		part_recipe src
		${CC:-gcc} --version 2>/dev/null | head -n 1
		cat "$lab_dir/config/test.config"
		;;
	debug)	part_recipe test
		cat "$lab_dir/config/debug.config"
		;;
	*)	return 1 ;;
	esac
}

part_dir()
{
	local key

	part_recipe "$1" >/dev/null || die "no such part: $1"
	key=$(part_recipe "$1" | sha256sum | cut -c 1-12)
	echo "$lab_cache/$1-$key"
}

part_made()
{
	[ -e "$(part_dir "$1")/.complete" ]
}

# Makes the named parts unless they are there: a stat each when they are.
need_parts()
{
	local p missing=

	for p; do
		part_made "$p" || missing="$missing $p"
	done
	[ -z "$missing" ] && return 0
	# shellcheck disable=SC2086
	"$lab_dir/setup" $missing >&2
}
