#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# cadre start, stop, info, status, and -p of the others.

# shellcheck disable=SC2016,SC1083,SC2094,SC2238 # braces and $ are the tasks'
load helper

setup() {
	cadre_setup
	STARTED=
}

teardown() {
	local name
	for name in $STARTED; do
		cadre stop -p "$name" --force >/dev/null 2>&1 || true
	done
	cadre_teardown
}

start() {
	local name=$1
	shift
	STARTED="$STARTED $name"
	cadre start -p "$name" "$@" >started 3>&-
}

@test "start returns when the slots are there; run and map use them" {
	start one -j 2
	grep -qx '"one" runs as process [0-9]* at ipc://.*/one.sock' started
	[ "$(cadre run -p one -- echo hello)" = hello ]
	[ "$(seq 3 | cadre run -p one -- cat | tr '\n' ' ')" = "1 2 3 " ]
	[ "$(cadre map -p one -k echo ::: 1 2 3 | tr '\n' ' ')" = "1 2 3 " ]
	run cadre run -p one -- sh -c 'exit 7'
	[ "$status" -eq 7 ]
	cadre info -p one >info
	grep -qx 'connections  1' info
	grep -qx 'slots        2' info
	grep -qx 'completed    6' info
	grep -qx 'failed       1' info
	cadre info -p one --json | grep -q '"slots": 2'
	[ "$(cadre status -p one | wc -l)" -eq 2 ]
	cadre status -p one --json | grep -q '"state": "idle"'
	cadre stop -p one
	run cadre info -p one
	[ "$status" -eq 125 ]
	[ "$output" = 'cadre info: no dispatcher runs under the name "one"; start one with: cadre start -p one' ]
}

@test "commands run where they were called, with the variables passed on" {
	start one -j 1
	mkdir sub
	[ "$(cd sub && cadre run -p one -- pwd)" = "$PWD/sub" ]
	[ "$(A='x y' cadre run -p one --env A -- sh -c 'echo "$A"')" = "x y" ]
	[ "$(A='x y' cadre map -p one --env A 'echo "$A" #' ::: 1)" = "x y" ]
	cadre map -p one --joblog log true ::: 1
	[ "$(tail -n 1 log | cut -f 2)" = "$(uname -n)" ]
}

@test "a second one under the same name, or at the same address, is refused" {
	start one -j 1
	run cadre start -p one -j 1
	[ "$status" -eq 125 ]
	[[ $output == 'cadre start: "one" runs already, as process '*'cadre stop -p one' ]]
	start two -j 1 --url "ipc://$TEST_DIR/socket"
	run cadre start -p three -j 1 --url "ipc://$TEST_DIR/socket"
	[ "$status" -eq 125 ]
	[[ $output == "cadre start: another dispatcher listens at ipc://$TEST_DIR/socket"* ]]
	run cadre map --url "ipc://$TEST_DIR/socket" true ::: 1
	[ "$status" -eq 255 ]
	[[ $output == "cadre map: another dispatcher listens at "* ]]
	[ "$(cadre run -p two -- echo still there)" = "still there" ]
}

@test "tcp on loopback, a free port" {
	start one -j 1 --url tcp://127.0.0.1:0 --auth none
	grep -q 'at tcp://127.0.0.1:[1-9][0-9]*$' started
	[ "$(cadre run -p one -- echo hello)" = hello ]
	[ "$(cadre run -p "$(sed 's/.* at //' started)" --auth none -- echo hello)" = hello ]
	run cadre start -p two -j 1 --url tcp://0.0.0.0:0 --auth none
	[ "$status" -eq 125 ]
	[[ $output == "cadre start: "*loopback* ]]
}

@test "stop waits for tasks, stop --force does not" {
	start one -j 1
	mkfifo go
	cadre run -p one -- sh -c 'touch up; cat go; echo done' >out 3>&- &
	local pid=$!
	wait_until 20 test -e up
	cadre stop -p one 3>&- &
	local stopper=$!
	echo x >go
	wait $stopper
	wait $pid
	[ "$(tail -n 1 out)" = "done" ]
	start two -j 1
	rm up
	cadre run -p two -- sh -c 'touch up; sleep 600' 3>&- 2>err &
	pid=$!
	wait_until 20 test -e up
	cadre stop -p two --force
	wait $pid || [ $? -eq 125 ]
	grep -q 'cadre run: sh: .*closed' err
}

@test "a dispatcher that hangs can be stopped by force" {
	start one -j 1
	local pid
	pid=$(sed 's/.*process \([0-9]*\).*/\1/' started)
	kill -STOP "$pid"
	cadre stop -p one --force
	run cadre info -p one
	[ "$status" -eq 125 ]
}

@test "the record of a dispatcher that was killed is no obstacle" {
	start one -j 1
	local pid
	pid=$(sed 's/.*process \([0-9]*\).*/\1/' started)
	kill -KILL "$pid"
	wait_until 20 sh -c "! cadre info -p one 2>/dev/null"
	run cadre run -p one -- true
	[ "$status" -eq 125 ]
	start one -j 1
	[ "$(cadre run -p one -- echo again)" = again ]
}

@test "--foreground ends with SIGTERM, and takes its daemon along" {
	local mark=CADRE_TEST_MARK=$TEST_DIR
	env "$mark" cadre start -p fg -j 1 --foreground 2>err 3>&- &
	local pid=$!
	wait_until 20 grep -q '"fg" listens at' err
	[ "$(cadre run -p fg -- echo hello)" = hello ]
	kill -TERM $pid
	wait $pid
	wait_until 20 none_marked "$mark"
}

@test "a client that is killed takes its tasks with it, and nothing else" {
	start one -j 2
	cadre map -p one 'touch up; sleep 600; touch late' ::: 1 2 3 4 3>&- &
	local pid=$!
	wait_until 20 test -e up
	kill -KILL $pid
	wait $pid || true
	wait_until 30 sh -c "cadre info -p one | grep -qx 'executing    0'"
	[ "$(cadre run -p one -- echo hello)" = hello ]
	[ ! -e late ]
}

@test "wrong names and addresses are one sentence" {
	run cadre start -p ../x
	[ "$status" -eq 125 ]
	[[ $output == 'cadre start: --pool: "../x" is not a name'* ]]
	run cadre start -p x --url ipc:///no/such/dir/socket
	[ "$status" -eq 125 ]
	[[ $output == "cadre start: "*"/no/such/dir"*"No such file or directory" ]]
	run cadre stop -p nobody
	[ "$status" -eq 125 ]
	run cadre start now
	[ "$status" -eq 125 ]
	[ "$output" = 'cadre start: "now" is not an option' ]
}
