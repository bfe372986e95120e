#!/usr/bin/env bash
# smoke.sh DIST PYTHON...: the wheel alone, in a fresh environment of every Python that runs, enriches the example.
set -euo pipefail
dist=$1
shift
place=.venv-smoke
trap 'rm -rf "$place"' EXIT

seen=" "
for python in "$@" "$HOME"/.pyenv/versions/3.1[0-9]*/bin/python; do
  "$python" -c 'import sys, venv; sys.exit(sys.version_info < (3, 10))' 2> /dev/null || continue
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  case "$seen" in *" $version "*) continue ;; esac
  seen="$seen$version "

  rm -rf "$place"
  "$python" -m venv "$place"
  "$place/bin/python" -m pip install --quiet "$dist"/*.whl
  "$place/bin/python" -m pip check
  if ! "$place/bin/python" -W error examples/enrich_csv.py examples/contacts.csv -o "$place/out.csv" \
    > "$place/log" 2>&1; then
    cat "$place/log"
    echo "examples/enrich_csv.py failed on CPython $version" >&2
    exit 1
  fi
  test -s "$place/out.csv"
  echo "CPython $version: the wheel installs alone, and examples/enrich_csv.py runs"
done

if [ "$seen" = " " ]; then
  echo "no Python that runs among: $*" >&2
  exit 1
fi
