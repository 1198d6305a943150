#!/bin/sh
# SPDX-License-Identifier: MIT
#
# mandoc has nothing to warn of in our manual pages.
cd "${CADRE_SRCDIR:-.}" || exit 1
command -v mandoc >/dev/null || {
	echo "mandoc is not installed"
	exit 77
}
mandoc -Tlint -Wwarning man/*.[1-8]
