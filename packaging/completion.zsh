#compdef limen
# zsh completion for limen(1): commands and options are those that its help lists

_limen_commands() {
	local -a commands
	commands=(${(f)"$(limen help 2>/dev/null |
		sed -nE 's/^(Usage:)? +limen ([a-z|]+).*/\2/p' | tr '|' '\n')"} help)
	compadd -a commands
}

_limen_options() {
	local -a options
	options=(${(f)"$(limen $words[2] --help 2>/dev/null |
		grep -oE '[-]-[a-z-]+' | sort -u)"} --help)
	compadd -a options
}

_limen() {
	if (( CURRENT == 2 )); then
		_limen_commands
	elif [[ $words[CURRENT] == -* ]]; then
		_limen_options
	else
		_files
	fi
}

_limen "$@"
