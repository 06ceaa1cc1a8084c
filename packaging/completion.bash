# bash completion for limen(1): commands and options are those that its help lists
# shellcheck shell=bash disable=SC2207

_limen_commands()
{
	limen help 2>/dev/null | sed -nE 's/^(Usage:)? +limen ([a-z|]+).*/\2/p' | tr '|' '\n'
}

# In the help of run a value stands one space behind its option, a text two or more; in
# that of the others an option without a value is alone in its brackets.
_limen_takes_value()
{
	! grep -qE "^  $1  |\[$1\]" <<<"$2"
}

_limen()
{
	local cur prev words cword help
	_init_completion || return

	if [ "$cword" = 1 ]; then
		COMPREPLY=($(compgen -W "$(_limen_commands) help --version" -- "$cur"))
		return
	fi
	help=$(limen "${words[1]}" --help 2>/dev/null)
	case $prev in
	--net)		COMPREPLY=($(compgen -W 'user tap=' -- "$cur")) ;;
	--console)	COMPREPLY=($(compgen -W 'serial virtio' -- "$cur")) ;;
	--vs | --only)	COMPREPLY=($(compgen -W 'kvm' -- "$cur")) ;;
	--*)
		if _limen_takes_value "$prev" "$help"; then
			_filedir
			return
		fi
		;;&
	*)
		COMPREPLY=($(compgen -W "$(grep -oE '[-]-[a-z-]+' <<<"$help" | sort -u) --help" -- "$cur"))
		;;
	esac
}

complete -F _limen limen
