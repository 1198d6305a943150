#!/bin/sh
# SPDX-License-Identifier: MIT
#
# shellcheck has nothing to say of our scripts.
cd "${CADRE_SRCDIR:-.}" || exit 1
command -v shellcheck >/dev/null || {
	echo "shellcheck is not installed"
	exit 77
}
find tests scripts .ci autogen.sh -type f -exec grep -lE \
	'^#!/(bin/sh|usr/bin/env (bash|bats)|bin/bash)|^# shellcheck shell=' {} + |
	grep -vE '^tests/(stage|lint)/' | sort |
	xargs shellcheck -x -e SC1091
