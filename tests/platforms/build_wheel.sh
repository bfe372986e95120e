#!/usr/bin/env bash
# build_wheel.sh TARGET COMPATIBILITY OUT [OPTION...]: a wheel as a release has it. The options are for maturin.
#
# With PROFILE=1, and if TARGET is this machine's own, it is built twice. The first build counts what runs while
# benchmarks/training.py makes typical calls; the compiler optimises the second one with these counts. This needs rustup,
# for the tool that reads them.
set -euo pipefail
target=$1 compatibility=$2 out=$3
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# A module of a development build would get into the wheel.
module=python/exactbuyer/_core.abi3.so
if [ -e "$module" ]; then
  kept=$(mktemp -d)
  trap 'if [ -e "$kept/module" ]; then mv "$kept/module" "$module"; fi; rmdir "$kept"' EXIT
  mv "$module" "$kept/module"
fi

build=(maturin build --release --locked --strip true --target "$target")
if [ "${PROFILE:-0}" = 1 ]; then
  if [ "$(rustc -vV | sed -n 's/^host: //p')" != "$target" ]; then
    echo "PROFILE=1 is for this machine's own target, not for $target" >&2
    exit 1
  fi
  rustup component add llvm-tools
  place=${CARGO_TARGET_DIR:-target}/instrumented
  rm -rf "$place/counts" "$place/wheel"
  mkdir -p "$place"
  place=$(cd "$place" && pwd)
  # The compiler takes no path as bash writes it on Windows.
  if command -v cygpath > /dev/null; then place=$(cygpath -m "$place"); fi
  # Without the options: zig cannot link the part that counts, and this wheel is for this machine.
  CARGO_TARGET_DIR=$place RUSTFLAGS=-Cprofile-generate=$place/counts "${build[@]}" --out "$place/wheel"
  "${PYTHON:-python3}" -m venv --clear "$place/venv"
  bin=$place/venv/bin
  if [ -d "$place/venv/Scripts" ]; then bin=$place/venv/Scripts; fi
  "$bin/python" -m pip install --quiet "$(echo "$place"/wheel/*.whl)[cli,pandas]"
  EXACTBUYER_OFFLINE=1 LLVM_PROFILE_FILE=$place/counts/%m_%p.profraw "$bin/python" benchmarks/training.py
  "$(rustc --print sysroot)/lib/rustlib/$target/bin/llvm-profdata" merge -o "$place/profile" "$place/counts"
  export RUSTFLAGS=-Cprofile-use=$place/profile
fi
"${build[@]}" --compression-level 9 --compatibility "$compatibility" --out "$out" "${@:4}"
