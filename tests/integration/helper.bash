# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What every integration test needs: the staged installation on its path, and
# directories of its own, so that tests may run next to each other.  Load it
# with "load helper"; a file with a setup() of its own calls cadre_setup there.
#
# "make check" sets CADRE_STAGE and the directories below it; a file run by
# hand needs:  make tests/stage.stamp && make check TESTS=tests/integration/x.bats

bats_require_minimum_version 1.5.0
: "${CADRE_STAGE:?run by make check TESTS=tests/integration/FILE.bats}"

cadre_setup() {
	TEST_DIR=$(mktemp -d "${BATS_TMPDIR:-/tmp}/cadre-test.XXXXXX")
	export TEST_DIR
	export TMPDIR=$TEST_DIR/tmp XDG_RUNTIME_DIR=$TEST_DIR/run
	export XDG_CACHE_HOME=$TEST_DIR/cache
	export HOME=$TEST_DIR/home
	mkdir -m 700 "$TMPDIR" "$XDG_RUNTIME_DIR" "$XDG_CACHE_HOME" "$HOME"
	export PATH=$CADRE_STAGE$CADRE_BINDIR:$PATH
	export LD_LIBRARY_PATH=$CADRE_STAGE$CADRE_LIBDIR${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
	# A staged installation is not where it was configured to be.
	export PKG_CONFIG_PATH=$CADRE_STAGE$CADRE_LIBDIR/pkgconfig
	export PKG_CONFIG_SYSROOT_DIR=$CADRE_STAGE
	unset CADRE_PROFILE CADRE_URL
	cd "$TEST_DIR" || return 1
}

# Ends what the test started with "spawn", tells of processes left behind, and
# removes the test's directory.
cadre_teardown() {
	local pid
	for pid in $SPAWNED; do
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	cd /
	rm -rf "$TEST_DIR"
}

setup() {
	cadre_setup
}

teardown() {
	cadre_teardown
}

# spawn COMMAND...: in the background, its pid in $SPAWNED_PID; bats's own
# descriptor is closed, or bats would wait for it.
spawn() {
	"$@" 3>&- &
	SPAWNED_PID=$!
	SPAWNED="$SPAWNED $SPAWNED_PID"
}

# wait_until SECONDS COMMAND...: true as soon as COMMAND is, false if it never
# was within SECONDS.
wait_until() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS < end)) || return 1
		sleep 0.02
	done
}

# marked_pids MARK: the processes whose environment has MARK (NAME=VALUE), but
# for this shell and those it is made of.
marked_pids() {
	local mark=$1 f pid
	for f in /proc/[0-9]*/environ; do
		pid=${f#/proc/}
		pid=${pid%/environ}
		if tr '\0' '\n' 2>/dev/null <"$f" | grep -qxF -e "$mark"; then
			echo "$pid"
		fi
	done
}

# none_marked MARK: true if there is no such process.
none_marked() {
	[ -z "$(marked_pids "$1")" ]
}

# cc_cadre ARG...: the compiler with what pkg-config says of the staged
# library, and its sanitizer if it was built with one.
cc_cadre() {
	local flags
	flags=$(pkg-config --cflags --libs cadre) || return
	# shellcheck disable=SC2086 # a list of words each
	${CC:-cc} $CADRE_TEST_CFLAGS "$@" $flags
}
