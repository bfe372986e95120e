#!/usr/bin/env bash
# try_musl.sh WHEEL: installs the wheel for a CPython that is linked with musl, and enriches the example.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/pythons.sh"

need_musl_python
packages=$(mktemp -d)
trap 'rm -rf "$packages"' EXIT
# That CPython has no TLS, so the pip of this machine's Python installs into a folder for it.
"$PYTHON" -m pip install --quiet --target "$packages" --only-binary :all: --implementation cp \
  --python-version "$("$MUSL_PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')" \
  --platform "musllinux_1_2_$(uname -m)" "$1"
EXACTBUYER_OFFLINE=1 PYTHONPATH=$packages "$MUSL_PYTHON" -W error examples/enrich_csv.py examples/contacts.csv \
  -o "$packages/out.csv" > "$packages/log" 2>&1 || { cat "$packages/log"; exit 1; }
test -s "$packages/out.csv"
echo "$("$MUSL_PYTHON" --version) for musl: the wheel installs alone, and examples/enrich_csv.py runs"
