#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# --help, the man pages and the completion scripts name the same options.

# shellcheck disable=SC2016,SC1083,SC2094,SC2238 # braces and $ are the tasks'
load helper

COMMANDS="run map eval start stop info status"

# The options that --help of a command names, one on each line.
help_options() {
	cadre "$1" --help | sed -n 's/^  \(    \)\{0,1\}-/-/p' | sed 's/  .*//' |
		tr ' ' '\n' | sed -n 's/,$//; /^-/p' | grep -vx -e -h -e --help | LC_ALL=C sort -u
}

# Likewise what an mdoc page names: "Fl x", "Fl -name", and lists of them.
page_options() {
	grep -hE '^\.((It|Op|Pq) )*Fl ' "$@" |
		grep -oE '(Fl |, -)-?[A-Za-z0-9][A-Za-z0-9-]*' |
		sed 's/^Fl /-/; s/^, -/--/' | LC_ALL=C sort -u
}

@test "each option of --help is in the man pages, and no other" {
	local command page common=$CADRE_SRCDIR/man/cadre.1
	for command in $COMMANDS; do
		page=$CADRE_SRCDIR/man/cadre-$command.1
		case $command in
		stop) page=$CADRE_SRCDIR/man/cadre-start.1 ;;
		status) page=$CADRE_SRCDIR/man/cadre-info.1 ;;
		esac
		echo "$command, missing:"
		[ -z "$(LC_ALL=C comm -23 <(help_options "$command") \
			<(page_options "$page" "$common") | tee /dev/stderr)" ]
	done
	for command in run map eval; do
		echo "$command, too many:"
		[ -z "$(LC_ALL=C comm -13 <(help_options "$command") \
			<(page_options "$CADRE_SRCDIR/man/cadre-$command.1") | tee /dev/stderr)" ]
	done
}

@test "the pages are clean mdoc" {
	command -v mandoc >/dev/null || skip "mandoc is not installed"
	local page
	for page in "$CADRE_SRCDIR"/man/cadre{,-map,-run,-eval,-start,-info}.1; do
		mandoc -T lint -W warning "$page"
	done
}

@test "bash completes every command and option" {
	# shellcheck source=/dev/null
	source "$CADRE_SRCDIR/completion/cadre"
	local command COMPREPLY COMP_WORDS COMP_CWORD
	COMP_WORDS=(cadre '') COMP_CWORD=1
	_cadre
	for command in $COMMANDS; do
		[[ " ${COMPREPLY[*]} " == *" $command "* ]]
	done
	for command in $COMMANDS; do
		COMP_WORDS=(cadre "$command" -) COMP_CWORD=2
		_cadre
		diff <(help_options "$command") \
			<(printf '%s\n' "${COMPREPLY[@]}" | grep -vx -e -h -e --help | LC_ALL=C sort -u)
	done
}

@test "zsh reads the same options" {
	command -v zsh >/dev/null || skip "zsh is not installed"
	local command
	for command in $COMMANDS; do
		zsh -fc 'eval "$(sed "\$d" "$1")"; setopt extended_glob
			_cadre_read_options cadre "$2"
			print -l -- "${(@)reply%%:*}"' zsh "$CADRE_SRCDIR/completion/_cadre" "$command" |
			grep -vx -e -h -e --help | LC_ALL=C sort -u | diff <(help_options "$command") -
	done
}

@test "fish completes every option" {
	command -v fish >/dev/null || skip "fish is not installed"
	local command
	for command in $COMMANDS; do
		fish --no-config -c 'source $argv[1]; complete -C "cadre $argv[2] -"' \
			"$CADRE_SRCDIR/completion/cadre.fish" "$command" | cut -f 1 |
			grep -vx -e -h -e --help | LC_ALL=C sort -u | diff <(help_options "$command") -
	done
}

@test "help, version, and a closed standard output" {
	cadre --help | grep -q '^  map '
	cadre help map | diff - <(cadre map --help)
	[ "$(cadre --version)" = "cadre $(pkg-config --modversion cadre)" ]
	run bash -c 'cadre --help >/dev/full'
	[ "$status" -eq 125 ]
	[[ $output == *"No space left on device" ]]
	run cadre
	[ "$status" -eq 125 ]
	[[ $output == Usage:* ]]
}
