#!/usr/bin/env bash
# The wheels for Linux that a release has, built on this machine into `dist/release/`, checked and tried.
#
# One wheel is for all versions of CPython from 3.10 on. The wheels for this processor are installed and tried with
# every version that is installed here; those for another processor are only inspected. WHEELS selects some:
# WHEELS="x86_64-unknown-linux-gnu".
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/pythons.sh"

# maturin sets these itself, for the target that it builds for.
unset PYO3_CROSS PYO3_NO_PYTHON PYO3_BUILD_EXTENSION_MODULE
need_zig
OUT=$ROOT/dist/release
rm -rf "$OUT"

for target in ${WHEELS:-x86_64-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-gnu}; do
  say "build the wheel for $target"
  compatibility=manylinux_2_17
  case $target in *musl) compatibility=musllinux_1_2 ;; esac
  # With a profile, as in a release, if this machine can run the wheel.
  profile=0
  if [ "$target" = "$(rustc -vV | sed -n 's/^host: //p')" ] && [[ $target = *-gnu ]]; then profile=${PROFILE:-1}; fi
  build=(env "PROFILE=$profile" bash tests/platforms/build_wheel.sh "$target" "$compatibility" "$OUT" --zig)
  if rustc --print target-libdir --target "$target" 2> /dev/null | xargs -r test -d; then
    "${build[@]}"
  else
    # This machine's compiler has no standard library for the target.
    need_compiler
    RUSTC=$TOOLS/rust/bin/rustc RUSTC_BOOTSTRAP=1 "${build[@]}" -Zbuild-std=std,panic_abort,proc_macro
  fi
done

say "names, sizes, licences, SBOM, twine, abi3audit"
python tests/platforms/check_wheels.py "$OUT"

gnu=("$OUT"/*manylinux*"$(uname -m)".whl)
if [ -e "${gnu[0]}" ]; then
  say "install and try ${gnu[0]##*/}"
  mkdir -p "$TOOLS/gnu"
  rm -f "$TOOLS"/gnu/*.whl
  cp "${gnu[0]}" "$TOOLS/gnu/"
  need_newer_pythons
  EXACTBUYER_OFFLINE=1 bash tests/smoke.sh "$TOOLS/gnu" "$PYTHON" python3.1{0..9} "${NEWER_PYTHONS[@]}"
fi
musl=("$OUT"/*musllinux*"$(uname -m)".whl)
if [ -e "${musl[0]}" ]; then
  say "install and try ${musl[0]##*/} on a CPython for musl"
  bash tests/platforms/try_musl.sh "${musl[0]}"
fi
