#!/bin/sh
# Makes configure from a checkout; needs autoconf, automake, libtool,
# autoconf-archive and pkg-config.
set -e
cd "$(dirname "$0")"
exec autoreconf --install --warnings=all
