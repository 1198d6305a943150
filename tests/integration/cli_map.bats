#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# cadre map: arguments, command lines, order and tags, beside GNU parallel.

# shellcheck disable=SC2016,SC1083,SC2094,SC2238 # braces and $ are the tasks'
load helper

# same ARG...: cadre map prints what was recorded from GNU parallel, which is
# standard input; where parallel is installed it has to agree.
same() {
	cat >recorded
	SHELL=/bin/sh cadre map "$@" >ours
	diff recorded ours || return 1
	if command -v parallel >/dev/null; then
		echo will cite | parallel --citation >/dev/null 2>&1 || true
		SHELL=/bin/sh parallel -k "$@" >theirs </dev/null
		diff recorded theirs || return 1
	fi
}

@test "command lines are those of GNU parallel" {
	same --dry-run echo {} ::: "a b" "it's" '' "x'y z'" "'" 'é' 'a=b' , <<-'END'
		echo 'a b'
		echo 'it'"'"'s'
		echo ''
		echo 'x'"'"'y z'"'"
		echo "'"
		echo 'é'
		echo 'a=b'
		echo ','
	END
	same --dry-run ::: 'echo a; ls' 'x y' <<-'END'
		echo a; ls
		x y
	END
	same --dry-run '{} foo' ::: 'echo a; ls' <<<'echo a; ls foo'
	same --dry-run echo {1} ::: a b ::: 'c d' <<<$'echo a\necho b'
	same --dry-run echo {2} {.} {/} ::: a.x/b.c.d ::: 'e f.g' \
		<<<"echo 'e f.g' a.x/b.c 'e f' b.c.d 'e f.g'"
	same --dry-run -N2 echo {1}-{2} {} ::: a b c <<<$'echo a-b a b\necho c- c'
	same --dry-run -q echo '$x {}' "a b" ::: "a b" <<<"echo '\$x a b' 'a b'"
	same --dry-run -I ,, echo ,, {} ::: 1 <<<'echo 1 {}'
	same --dry-run echo '{#} {a} { }' ::: 1 2 <<-'END'
		echo 1 {a} { }
		echo 2 {a} { }
	END
}

@test "input sources combine as in GNU parallel" {
	printf 'x\ny\n' >file
	same --dry-run echo ::: a b ::: 1 2 <<-'END'
		echo a 1
		echo a 2
		echo b 1
		echo b 2
	END
	same --dry-run echo ::: a b c :::+ 1 2 3 ::: X Y :::+ 11 22 <<-'END'
		echo a 1 X 11
		echo a 1 Y 22
		echo b 2 X 11
		echo b 2 Y 22
		echo c 3 X 11
		echo c 3 Y 22
	END
	same --dry-run echo ::: a b c :::+ 1 2 <<<$'echo a 1\necho b 2'
	same --dry-run --link echo ::: a b c ::: 1 2 <<-'END'
		echo a 1
		echo b 2
		echo c 1
	END
	same --dry-run -a file echo ::: 1 <<<$'echo x 1\necho y 1'
	same --dry-run echo :::: file ::::+ file <<<$'echo x x\necho y y'
	same --dry-run --colsep , echo {2} {1} ::: 'a, b' 'c,d,e' <<<$'echo b a\necho d c'
	same --dry-run --arg-sep ,, echo ,, a ::: b <<-'END'
		echo a
		echo ':::'
		echo b
	END
	same --dry-run echo ::: a ::: <<<"echo a ''"
	same --dry-run echo ::: </dev/null
}

@test "standard input: lines, NUL, delimiters, an unended last line" {
	[ "$(printf 'a\n\nb' | cadre map --dry-run echo)" = $'echo a\necho \'\'\necho b' ]
	[ "$(printf 'a\nb\0c\0' | cadre map -0 --dry-run echo | tr '\n' '|')" = "echo 'a|b'|echo c|" ]
	[ "$(printf 'a,b' | cadre map -d, --dry-run echo)" = $'echo a\necho b' ]
	[ "$(printf ' \n\nb\n' | cadre map -r --dry-run echo)" = 'echo b' ]
	run cadre map echo </dev/null
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "output in order, tags, standard error last" {
	same -j2 -k --tag 'sleep 0.{}; echo {}; echo more' ::: 3 1 2 <<-'END'
		3	3
		3	more
		1	1
		1	more
		2	2
		2	more
	END
	same -j1 -k --tagstring '{/.}-{#}:' 'echo a' ::: /p/1.x 2 <<-'END'
		1-1:	a /p/1.x
		2-2:	a 2
	END
	[ "$(cadre map -j1 'echo e >&2; echo o' ::: 1 2>&1)" = $'o 1\ne' ]
}

@test "arguments with newlines, quotes and bytes that are no UTF-8 arrive" {
	local odd=$'a\nb"c\'d\\\xff $x *'
	cadre map -j2 -k -q printf '%s|' ::: "$odd" '' 'x y' >out
	printf '%s||x y|' "$odd" >want
	cmp out want
	printf '%s\0%s\0' "$odd" z | cadre map -j2 -k -0 'printf "%s|"' >out
	printf '%s|z|' "$odd" >want
	cmp out want
}

@test "programs found without the shell, by the shell, and not at all" {
	printf 'echo script "$@"\n' >script
	chmod +x script
	# A script without "#!" is the shell's to run; so is what is not found.
	[ "$(cadre map -j1 ./script {} x ::: 'a b')" = "script a b x" ]
	run cadre map -j1 no-such-program {} ::: 1
	[ "$status" -eq 1 ]
	[[ $output == *no-such-program*"not found"* ]]
	run cadre map -j1 'no-such-program; exit 3' ::: 1
	[ "$status" -eq 1 ]
}

@test "exported functions of bash are found" {
	greet() { echo "hello $1"; }
	export -f greet
	[ "$(SHELL=/bin/bash cadre map -j1 greet ::: you)" = "hello you" ]
}

@test "slots: numbers within -j, never twice at once" {
	cadre map -j3 'mkdir lock{%} || exit 9; sleep 0.05; rmdir lock{%}; echo {%}' \
		::: {1..12} >out
	[ "$(sort -u out | tr '\n' ' ')" = "1 2 3 " ]
	same -j1 -k 'echo $PARALLEL_SEQ $PARALLEL_JOBSLOT' ::: a b <<<$'1 1 a\n2 1 b'
}

@test "the exit status is the number that failed" {
	run cadre map -j2 'exit {}' ::: 0 3 0 7 # sh: "exit 3 3" would fail too
	[ "$status" -eq 2 ]
	run cadre map -j2 'false {}' ::: {1..100}
	[ "$status" -eq 100 ]
	run cadre map -j2 'false {}' ::: {1..120}
	[ "$status" -eq 101 ]
}

@test "tasks over their time are stopped and named" {
	run cadre map -j2 --timeout 0.2 'echo {}; sleep {}; echo not reached' ::: 60 0
	[ "$status" -eq 1 ]
	[[ $output == *"cadre map: task 1: timed out after "*": echo 60; sleep 60;"* ]]
	[[ $output == *$'0\nnot reached'* ]]
}

@test "failed tasks run again as often as --retries says" {
	run cadre map -j2 --retries 3 'echo {} >>tries{}; [ $(wc -l <tries{}) -ge {} ]' ::: 1 2 4
	[ "$status" -eq 1 ]
	[ "$(cat tries1 tries2 tries4 | tr '\n' ' ')" = "1 2 2 4 4 4 " ]
}

@test "--line-buffer prints lines as they come, -k one task at a time" {
	mkfifo go
	cadre map -j2 --line-buffer --tag 'echo a{}; [ {} = 1 ] || cat go; echo b{}' \
		::: 1 2 >out 3>&- &
	local pid=$!
	wait_until 20 grep -qx $'2\ta2' out
	wait_until 20 grep -qx $'1\tb1' out
	[ "$(grep -c b2 out)" -eq 0 ]
	echo x >go
	wait $pid
	[ "$(sort out | tr '\n\t' '| ')" = "1 a1|1 b1|2 a2|2 b2|2 x|" ]
	cadre map -j2 -k --line-buffer 'echo a{}; sleep 0.{}; echo b{}' ::: 3 1 >out
	[ "$(tr '\n' ' ' <out)" = "a3 b3 a1 b1 " ]
}

@test "endless input: read as needed, and memory stays flat" {
	# What the first tasks print comes out although input never ends.
	run bash -c 'yes | cadre map -j2 --line-buffer "echo y;:" | head -n 50 | sort | uniq -c'
	[ "$status" -eq 0 ]
	[[ $output =~ ^\ *50\ y$ ]]
	# A command that waits for input does not keep finished output back.
	mkfifo in
	exec 4<>in
	cadre map -j2 'echo got {}' <in >out 3>&- &
	local pid=$!
	echo 1 >&4
	wait_until 20 grep -qx 'got 1' out
	echo 2 >&4
	wait_until 20 grep -qx 'got 2' out
	kill -TERM $pid
	exec 4>&-
	wait $pid || [ $? -eq 143 ]
}

@test "10 MB of arguments on standard input, 100 kB of them in one" {
	head -c 100000 /dev/zero | tr '\0' x >long
	[ "$(cadre map -j1 'printf %s {} | wc -c' <long)" -eq 100000 ]
	seq 1000000 2249999 >ten
	[ "$(wc -c <ten)" -eq 10000000 ]
	cadre map -j2 -k -N 5000 'echo {} | tr " " "\n"' <ten | cmp - ten
	# More than the kernel takes in one argument: that task fails, and says so.
	{
		head -c 3000000 /dev/zero | tr '\0' x
		printf '\nshort\n'
	} >big
	run bash -c 'cadre map -j1 "printf %.5s {}" <big 2>&1 | cut -c 1-300'
	[[ $output == *"cadre map: task 1: "*"arguments and environment take 30"* ]]
	[[ $output == *short* ]]
	run bash -c 'cadre map -j1 "printf %.5s {}" <big >out 2>&1'
	[ "$status" -eq 1 ]
}

@test "--delay keeps starts apart, --shuf runs all of them" {
	cadre map -j2 --delay 0.15 'date +%s%N #' ::: 1 2 3 | sort >out
	[ $((($(tail -n 1 out) - $(head -n 1 out)) / 1000000)) -ge 250 ]
	[ "$(seq 50 | cadre map -j2 --shuf echo | sort -n)" = "$(seq 50)" ]
	[ "$(seq 50 | cadre map -j1 --shuf echo)" != "$(seq 50)" ]
}

@test "habits that mean other things are refused with a hint" {
	run cadre map -n 3 echo ::: 1
	[ "$status" -eq 255 ]
	[ "$output" = "cadre map: -n is not an option of map: for 3 slots use -j, for 3 arguments per command -N" ]
	run cadre map -j 0 echo ::: 1
	[ "$status" -eq 255 ]
	[[ $output == "cadre map: --slots: "* ]]
	run cadre map --keep-oder echo ::: 1
	[ "$status" -eq 255 ]
	[ "$output" = "cadre map: unknown option --keep-oder; did you mean --keep-order?" ]
	run cadre map --halt whenever echo ::: 1
	[ "$status" -eq 255 ]
	[[ $output == "cadre map: --halt: "* ]]
	run cadre map echo :::: missing
	[ "$status" -eq 255 ]
	[ "$output" = "cadre map: cannot read missing: No such file or directory" ]
	run cadre map --resume echo ::: 1
	[ "$status" -eq 255 ]
	[[ $output == "cadre map: --resume needs --joblog or --results"* ]]
	run cadre map --retries x echo ::: 1
	[ "$status" -eq 255 ]
	[ "$output" = 'cadre map: --retries: "x" is not a whole number' ]
}

@test "an argument with a NUL byte ends the run, what went before is done" {
	run bash -c 'printf "a\nb\0c\nd\n" | cadre map -k -j1 echo'
	[ "$status" -eq 255 ]
	[ "${lines[0]}" = a ]
	[[ ${lines[1]} == "cadre map: item 2 of standard input holds a NUL byte"*"--null"* ]]
	[ "${#lines[@]}" -eq 2 ]
}

@test "20,000 real files: the serial answer, byte for byte" {
	local dir=/usr/include
	find "$dir" -xdev -type f -print0 2>/dev/null | sort -z | head -z -n 20000 >files
	[ "$(tr -dc '\0' <files | wc -c)" -gt 100 ]
	xargs -0 -n 100 cksum <files >serial
	cadre map -0 -k -j2 -N 100 cksum <files >ours
	cmp serial ours
}
