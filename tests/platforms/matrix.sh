#!/usr/bin/env bash
# matrix.sh WHEEL [PYTEST ARGUMENTS]: the Python tests with other versions than those that `make check` has.
#
# First with the lowest version of every dependency that pyproject.toml allows, on CPython 3.10; then with the newest
# versions on CPython 3.15 or 3.14. If this machine has neither, the newest of Debian is fetched.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/pythons.sh"

wheel=$1
shift
need_zig
export UV_PYTHON_DOWNLOADS=never

# Prints the path of the first of these interpreters that runs.
find_python() {
  local python
  for python in "$@" ; do
    for python in "$python" "$HOME"/.pyenv/versions/"${python#python}".*/bin/python; do
      if "$python" -c 'import venv' 2> /dev/null; then
        "$python" -c 'import sys; print(sys.executable)'
        return
      fi
    done
  done
  echo "none of these runs: $*" >&2
  return 1
}

# try_versions PYTHON RESOLUTION: an environment with these versions, and the tests in it.
try_versions() {
  local python=$1 resolution=$2 place=$TOOLS/matrix
  shift 2
  say "$("$python" --version), dependencies: $resolution"
  uv pip compile --quiet --resolution "$resolution" --python "$python" --extra all --no-header --no-annotate \
    pyproject.toml > "$TOOLS/pins.txt"
  cat "$TOOLS/pins.txt"
  uv venv --quiet --clear --python "$python" "$place"
  # Packages that only the tests need are installed in the newest version that fits.
  VIRTUAL_ENV=$place uv pip install --quiet --constraints "$TOOLS/pins.txt" "$wheel[all]" --group test
  VIRTUAL_ENV=$place uv pip check
  EXACTBUYER_OFFLINE=1 "$place/bin/python" -m pytest -q -p no:cacheprovider "$@"
}

lowest=$(find_python python3.10)
if ! newest=$(find_python python3.15 python3.14 2> /dev/null); then
  need_newer_pythons
  newest=${NEWER_PYTHONS[-1]}
fi
try_versions "$lowest" lowest-direct "$@"
try_versions "$newest" highest "$@"
