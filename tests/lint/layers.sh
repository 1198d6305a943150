#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Includes go downwards only: a module may use itself and the modules of a
# lower level, and the libraries that are named here.
cd "${CADRE_SRCDIR:-.}" || exit 1

awk '
BEGIN {
	split("util 0 value 1 wire 1 dispatch 2 link 3 auth 3 place 3 " \
	      "engine 4 launch 4 host 5 daemon 5 cli 6", word, " ")
	for (i = 1; i in word; i += 2)
		level[word[i]] = word[i + 1]
	# The modules that may include a library: its header begins so.
	only["nng/"] = "link"
	only["uv.h"] = "daemon"
	only["hwloc"] = "place"
	only["munge"] = "auth"
	only["cmocka"] = ""
}
FNR == 1 {
	split(FILENAME, part, "/")
	module = part[2]
	if (!(module in level))
		bad("a module without a level in " "tests/lint/layers.sh")
}
/^#[ \t]*include[ \t]*"/ {
	split($0, quoted, "\"")
	if (quoted[2] !~ /\//)
		bad("include \"" quoted[2] "\" does not name its module")
	split(quoted[2], used, "/")
	if (used[1] != module && !(level[used[1]] + 0 < level[module] + 0))
		bad(module " (level " level[module] ") includes \"" \
		    quoted[2] "\" (level " level[used[1]] ")")
}
/^#[ \t]*include[ \t]*</ {
	header = $0
	sub(/^[^<]*</, "", header)
	sub(/>.*/, "", header)
	for (lib in only)
		if (index(header, lib) == 1 && only[lib] != module)
			bad("only " only[lib] " includes <" header ">")
}
function bad(what)
{
	print FILENAME ":" FNR ": " what
	status = 1
}
END { exit status }
' $(find src -name '*.[ch]' | sort)
