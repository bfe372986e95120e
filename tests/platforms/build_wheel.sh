#!/usr/bin/env bash
# build_wheel.sh TARGET COMPATIBILITY OUT [OPTION...]: a wheel as a release has it. The options are for maturin.
#
# If this machine can run what it builds, the build is guided by a profile: a first one counts what runs often while
# benchmarks/training.py makes typical calls, and the compiler optimises the second one for that. Needs maturin, and
# rustup for the tool that reads the counts.
set -euo pipefail
target=$1 compatibility=$2 out=$3
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# A module of a development build would get into the wheel.
module=python/exactbuyer/_core.abi3.so
if [ -e "$module" ]; then
  aside=$(mktemp -d)
  mv "$module" "$aside/module"
  trap 'mv "$aside/module" "$module"; rmdir "$aside"' EXIT
fi

options=(--release --locked --strip true --compression-level 9 --target "$target" --compatibility "$compatibility")
options+=("${@:4}")
if [ "$(rustc -vV | sed -n 's/^host: //p')" = "$target" ]; then
  rustup component add llvm-tools
  place=${CARGO_TARGET_DIR:-$PWD/target}/instrumented
  rm -rf "$place/counts" "$place/wheel"
  CARGO_TARGET_DIR=$place RUSTFLAGS=-Cprofile-generate=$place/counts \
    maturin build "${options[@]}" --out "$place/wheel"
  "${PYTHON:-python3}" -m venv --clear "$place/venv"
  bin=$place/venv/bin
  if [ -d "$place/venv/Scripts" ]; then bin=$place/venv/Scripts; fi
  "$bin/python" -m pip install --quiet "$(echo "$place"/wheel/*.whl)[cli,pandas]"
  EXACTBUYER_OFFLINE=1 LLVM_PROFILE_FILE=$place/counts/%m_%p.profraw "$bin/python" benchmarks/training.py
  "$(rustc --print sysroot)/lib/rustlib/$target/bin/llvm-profdata" merge -o "$place/profile" "$place/counts"
  export RUSTFLAGS=-Cprofile-use=$place/profile
fi
maturin build "${options[@]}" --out "$out"
