#!/usr/bin/env bash
# try_musl.sh WHEEL: loads the extension module with musl's own loader, which names every symbol that musl lacks.
#
# Those of CPython are missing, because no CPython for musl can be had as a package here: nothing of the module is run.
# The release workflow installs and runs the wheel on Alpine.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"

loader=$TOOLS/musl/lib/ld-musl-$(uname -m).so.1
if ! [ -e "$TOOLS/musl/made" ]; then
  as_root apt-get update -qq
  mkdir -p "$TOOLS/musl"
  (cd "$TOOLS/musl" && apt-get download -qq musl 2> /dev/null && dpkg -x musl_*.deb .)
  touch "$TOOLS/musl/made"
fi
loader=$(find "$TOOLS/musl" -name "ld-musl-$(uname -m).so.1" | head -1)
if [ -L "$loader" ]; then loader=$(dirname "$loader")/$(uname -m)-linux-musl/libc.so; fi
libc=$(find "$TOOLS/musl" -name libc.so -type f | head -1)

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"$PYTHON" -m zipfile -e "$1" "$place"
module=$(find "$place/exactbuyer" -name '_core.*so')
# musl's library is its loader, too. It needs no file of the module that is not itself.
"${libc:-$loader}" --list "$module" > "$place/list" 2>&1 || true
missing=$(sed -n 's/^Error relocating .*: \([^ :]*\): symbol not found$/\1/p' "$place/list" | sort -u)
foreign=$(grep -v -E '^_?Py' <<< "$missing" || true)
of_python=$(grep -c -E '^_?Py' <<< "$missing" || true)
if [ -n "$foreign" ] || [ "$of_python" -lt 50 ] || grep -E 'Error loading' "$place/list"; then
  cat "$place/list"
  echo "musl cannot load the module: ${foreign:-only $of_python symbols of CPython were asked for}" >&2
  exit 1
fi
echo "musl resolves every symbol but the $of_python of CPython itself"
