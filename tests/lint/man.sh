#!/bin/sh
# SPDX-License-Identifier: MIT
#
# mandoc has nothing to warn of in our manual pages.
cd "${CADRE_SRCDIR:-.}" || exit 1
command -v mandoc >/dev/null || {
	echo "mandoc is not installed"
	exit 77
}
# A page that only names another can be followed once it is installed.
grep -L '^\.so ' man/*.[1-8] | xargs mandoc -Tlint -Wwarning
