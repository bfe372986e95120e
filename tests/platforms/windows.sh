#!/usr/bin/env bash
# The extension module is built for Windows, and run under wine on Windows' CPython: the API, the command line, three
# processes with one store, and a process that is killed while requests are in flight.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"

need_compiler
need_windows_python
say "build for x86_64-pc-windows-gnu"
# Rust links this part of gcc. zig does not have it, and nothing uses it, so an empty library is enough.
mkdir -p "$TOOLS/empty"
printf '!<arch>\n' > "$TOOLS/empty/libssp_nonshared.a"
# A build with little optimisation has more symbols than a library of Windows can export.
cross rustc --locked -p exactbuyer_python --target x86_64-pc-windows-gnu --release \
  --config 'profile.release.lto="off"' --config profile.release.codegen-units=16 -- -L "native=$TOOLS/empty"

say "install it beside Windows' CPython"
packages=$WINDOWS_PYTHON/Lib/site-packages
mkdir -p "$packages"
cp -r python/exactbuyer "$packages/"
find "$packages/exactbuyer" -name '*.so' -delete
cp "$CARGO_TARGET_DIR/x86_64-pc-windows-gnu/release/exactbuyer_python.dll" "$packages/exactbuyer/_core.pyd"
"$TOOLS/venv/bin/python" -m pip install --quiet --target "$packages" --platform win_amd64 --only-binary :all: \
  --python-version "$(windows_python -c 'import sys; print("%d.%d" % sys.version_info[:2])' | tr -d '\r')" \
  'tqdm>=4.64' 'click>=8.1' colorama typing_extensions

export EXACTBUYER_OFFLINE=1
for part in smoke command_line processes; do
  say "under wine: windows_$part.py"
  windows_python "tests/platforms/windows_$part.py"
done
