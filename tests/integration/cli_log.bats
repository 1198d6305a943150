#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# cadre map: job log, result files, resuming, --halt, JSON, progress.

# shellcheck disable=SC2016,SC1083,SC2094,SC2238 # braces and $ are the tasks'
load helper

columns() {
	cut -f "$1" "$2"
}

@test "the job log has GNU parallel's columns" {
	run cadre map -j1 --joblog log 'echo {}; [ {} != 3 ] || exit 3; [ {} != 9 ] || kill -9 $$' ::: 1 3 9
	[ "$status" -eq 2 ]
	[ "$(head -n 1 log)" = $'Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand' ]
	[ "$(columns 1,2,5-8 log | tail -n +2 | sort -n)" = $'1\t:\t0\t2\t0\t0\n2\t:\t0\t2\t3\t0\n3\t:\t0\t2\t0\t9' ]
	[ "$(columns 9 log | sed -n 2p)" = "echo 1; [ 1 != 3 ] || exit 3; [ 1 != 9 ] || kill -9 \$\$" ]
	local now start
	now=$(date +%s)
	start=$(columns 3 log | sed -n 2p)
	[[ $start =~ ^[0-9]+\.[0-9]{3}$ ]]
	[ $((now - ${start%.*})) -le 60 ]
	[[ $(columns 4 log | sed -n 2p) =~ ^\ +0\.[0-9]{3}$ ]]
	if command -v parallel >/dev/null; then
		parallel -j1 --joblog theirs 'echo {}; exit 3' ::: 1 3 || true
		cadre map -j1 --joblog ours 'echo {}; exit 3' ::: 1 3 || true
		diff <(columns 1,2,5-9 theirs) <(columns 1,2,5-9 ours)
		diff <(columns 4 theirs | sed 's/[0-9]/0/g') <(columns 4 ours | sed 's/[0-9]/0/g')
	fi
}

@test "newlines in a command do not break the log; a time-out is -1" {
	run cadre map -j1 --joblog log --timeout 0.1 -q sh -c $'sleep 60 #\n' ::: 1
	[ "$status" -eq 1 ]
	[ "$(wc -l <log)" -eq 2 ]
	[ "$(columns 7 log | tail -n 1)" = -1 ]
	[[ $(columns 9 log | tail -n 1) == *'sleep 60 #\n'* ]]
}

@test "--resume leaves out what is logged, --resume-failed runs failures again" {
	run cadre map -j1 --joblog log 'echo {} >>ran; exit $(({} % 2))' ::: 1 2
	[ "$status" -eq 1 ]
	run cadre map -j1 --joblog log --resume 'echo {} >>ran; exit $(({} % 2))' ::: 1 2 3 4
	[ "$status" -eq 1 ]
	[ "$(tr '\n' ' ' <ran)" = "1 2 3 4 " ]
	run cadre map -j1 --joblog log --resume-failed 'echo {} >>ran; exit 0' ::: 1 2 3 4 5
	[ "$status" -eq 0 ]
	[ "$(tr '\n' ' ' <ran)" = "1 2 3 4 1 3 5 " ]
	[ "$(grep -c Seq log)" -eq 1 ]
	run cadre map -j1 --joblog log --resume-failed 'echo {} >>ran' ::: 1 2 3 4 5
	[ "$(wc -l <ran)" -eq 7 ]
	# Without --resume the log begins anew, "+" goes on with it.
	cadre map -j1 --joblog log true ::: 1
	[ "$(wc -l <log)" -eq 2 ]
	cadre map -j1 --joblog +log true ::: 1
	[ "$(wc -l <log)" -eq 3 ]
	[ "$(grep -c Seq log)" -eq 1 ]
}

@test "a line that a crash cut short counts for nothing" {
	cadre map -j1 --joblog log 'echo {} >>ran #' ::: 1 2 3
	# Cut within the last line.
	head -c -15 log >cut
	mv cut log
	cadre map -j1 --joblog log --resume 'echo {} >>ran #' ::: 1 2 3
	[ "$(tr '\n' ' ' <ran)" = "1 2 3 3 " ]
	[ "$(columns 1 log | tail -n 1)" = 3 ]
	cadre map -j1 --joblog log --resume 'echo {} >>ran #' ::: 1 2 3
	[ "$(wc -l <ran)" -eq 4 ]
}

@test "with -k and --resume the order of the rest is kept" {
	cadre map -j2 -k --joblog log echo ::: 1 2 3 >/dev/null
	[ "$(cadre map -j2 -k --joblog log --resume 'sleep 0.{}; echo {}' ::: 1 2 3 4 2 | tr '\n' ' ')" = "4 2 " ]
}

@test "an interrupted run loses nothing: --resume does the rest once" {
	mkfifo go
	cadre map -j1 --joblog log 'echo {} >>ran; [ {} != 3 ] || cat go' ::: 1 2 3 4 3>&- &
	local pid=$!
	wait_until 20 grep -qx 3 ran
	kill -TERM $pid
	wait $pid || [ $? -eq 143 ]
	[ "$(columns 1 log | tr '\n' ' ')" = "Seq 1 2 " ]
	cadre map -j1 --joblog log --resume 'echo {} >>ran #' ::: 1 2 3 4
	[ "$(tr '\n' ' ' <ran)" = "1 2 3 3 4 " ]
}

@test "--results: directories by value, and printed all the same" {
	[ "$(cadre map -j1 -k --results res 'echo {1}-{2}; echo e >&2' ::: a/b c ::: $'t\tt' 2>/dev/null)" = $'a/b-t\tt\nc-t\tt' ]
	[ "$(cd res && find . -type f | sort)" = "$(printf '%s\n' \
		'./1/a\_b/2/t\tt/'{seq,stderr,stdout} './1/c/2/t\tt/'{seq,stderr,stdout})" ]
	[ "$(cat 'res/1/a\_b/2/t\tt/stdout')" = $'a/b-t\tt' ]
	[ "$(cat 'res/1/c/2/t\tt/stderr')" = e ]
	[ "$(cat 'res/1/c/2/t\tt/seq')" = 2 ]
	if command -v parallel >/dev/null; then
		parallel -j1 --results theirs 'echo {1}-{2}; echo e >&2' ::: a/b c ::: $'t\tt' >/dev/null 2>&1
		diff -r theirs res
	fi
}

@test "--results: no value leads out of the directory" {
	cadre map -j1 --results res/x echo ::: .. . "$(printf 'x%.0s' {1..300})" >/dev/null
	[ ! -e res/stdout ]
	[ ! -e res/1 ]
	[ "$(find res/x -name stdout | wc -l)" -eq 3 ]
}

@test "--results with replacement strings names files, or directories" {
	cadre map -j1 --results 'out/{/.}.{#}' 'echo {}; echo e >&2' ::: a/b.c >/dev/null 2>&1
	[ "$(cat out/b.1)$(cat out/b.1.err)$(cat out/b.1.seq)" = "a/b.ce1" ]
	cadre map -j1 --results 'dir/{}/' echo ::: x >/dev/null
	[ "$(cat dir/x/stdout)" = x ]
}

@test "--resume finds the files of --results" {
	cadre map -j1 --results res 'echo {} >>ran #' ::: 1 2
	rm res/1/2/seq
	cadre map -j1 --results res --resume 'echo {} >>ran #' ::: 1 2 3
	[ "$(tr '\n' ' ' <ran)" = "1 2 2 3 " ]
}

@test "output over the limit in memory is complete everywhere" {
	cadre map -j2 -k --option output-limit=1K --results res 'seq {}; seq 5 >&2 #' ::: 20000 3 >out 2>err
	cmp out <(seq 20000; seq 3)
	cmp res/1/20000/stdout <(seq 20000)
	[ "$(find "$TMPDIR" -type f | wc -l)" -eq 0 ]
}

@test "--halt: now, soon, success, percentages, statuses" {
	run cadre map -j1 --halt now,fail=1 'exit {} #' ::: 0 7 0
	[ "$status" -eq 7 ]
	[[ $output == "cadre map: stopping as --halt asks: task 2 failed: exit 7 #" ]]
	run cadre map -j1 --halt soon,fail=2 'echo {} >>ran; exit {} #' ::: 4 7 0 0 0
	[ "$status" -eq 2 ]
	[ "$(tr '\n' ' ' <ran | cut -c 1-4)" = "4 7 " ]
	[ "$(wc -l <ran)" -le 3 ]
	run cadre map -j1 --halt now,success=1 'exit {} #' ::: 4 0 7
	[ "$status" -eq 0 ]
	run cadre map -j1 --halt now,success=1 'exit {} #' ::: 4 7
	[ "$status" -eq 2 ]
	run cadre map -j1 --halt soon,fail=50% 'exit {} #' ::: 4 7 0 0 0
	[ "$status" -eq 40 ]
	run cadre map -j1 --halt now,fail=20% 'exit {} #' ::: 4 0 7 0 3
	[ "$status" -eq 4 ]
	run cadre map -j1 --halt now,done=1 'exit {} #' ::: 4 7
	[ "$status" -eq 4 ]
}

@test "--halt now stops what runs, soon lets it end" {
	local mark=CADRE_TEST_MARK=$TEST_DIR
	run env "$mark" cadre map -j2 --halt now,fail=1 \
		'[ {} = 1 ] && { touch up; sleep 600; }; until [ -e up ]; do sleep 0.01; done; exit 3' ::: 1 2
	[ "$status" -eq 3 ]
	wait_until 20 none_marked "$mark"
	rm up
	run cadre map -j2 --halt soon,fail=1 \
		'[ {} = 1 ] && { touch up; sleep 0.3; echo ended; exit; }; until [ -e up ]; do sleep 0.01; done; exit 3' \
		::: 1 2 3 4 5 6
	[ "$status" -eq 3 ]
	[[ $output == *ended* ]]
}

@test "--json: one object for each task" {
	cadre map -j1 --json 'printf "\377{}"; echo err >&2; exit {} #' ::: 0 3 >out || [ $? -eq 1 ]
	[ "$(wc -l <out)" -eq 2 ]
	grep -q '"seq":1,' out
	grep -q '"args":\["3"\],.*"outcome":"exit","exit":3,"signal":null,' out
	grep -q '"outcome":"value","exit":0,' out
	grep -q '"stdout_base64":"/zA=",' out
	grep -q '"stderr":"err\\n",' out
	[ "$(cadre map -j1 --json true ::: $'\xff' | grep -c '"args":\[{"arg_base64":"/w=="}\]')" -eq 1 ]
	[ "$(cadre map -j1 --json 'kill -9 $$' ::: 1 | grep -c '"exit":null,"signal":9,')" -eq 1 ]
	if [ -n "$PYTHON3" ]; then
		"$PYTHON3" -c 'import json, sys
for line in sys.stdin: json.loads(line)' <out
	fi
}

@test "--progress and --bar write to a terminal only" {
	run bash -c 'cadre map -j1 --progress --bar true ::: 1 2 3 2>&1'
	[ -z "$output" ]
	command -v script >/dev/null || skip "script(1) is not installed"
	script -qec 'cadre map -j2 --bar "sleep 0.1; exit {} #" ::: 0 1 0 0' screen >/dev/null || true
	grep -q '4 of 4 done, 1 failed' screen
	grep -q '\[#.*\] 100%' screen
	script -qec 'seq 4 | cadre map -j2 --progress true' screen >/dev/null
	grep -q '4 of 4 done, 0 failed, 0 running, .*/s' screen
}

@test "a full disk under the log, the results or the output: a sentence and 255" {
	run bash -c 'cadre map -j2 --joblog /dev/full echo ::: 1 2 3'
	[ "$status" -eq 255 ]
	[ "$output" = "cadre map: cannot write the job log /dev/full: No space left on device" ]
	run bash -c 'cadre map -j1 echo ::: 1 2 3 >/dev/full'
	[ "$status" -eq 255 ]
	[ "$output" = "cadre map: cannot write to standard output: No space left on device" ]
	# Result files may not be over 4 KiB: what was done is in the log.
	run bash -c 'trap "" XFSZ; ulimit -f 8
		cadre map -j1 --results res --joblog log "[ {} = 1 ] || seq 9999" ::: 1 2 2>&1 >/dev/null'
	[ "$status" -eq 255 ]
	[[ $output == *"cadre map: cannot write res/1/2/stdout: File too large" ]]
	[ -e res/1/1/seq ]
	[ ! -e res/1/2/seq ]
	[ "$(columns 1 log | tr '\n' ' ')" = "Seq 1 " ]
}

@test "a reader that has enough ends it quietly" {
	run bash -c 'set -o pipefail; seq 100000 | cadre map -j2 echo | head -n 2'
	[ "$status" -eq 141 ]
	[ "${#lines[@]}" -eq 2 ]
}
