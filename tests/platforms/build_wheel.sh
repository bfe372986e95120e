#!/usr/bin/env bash
# build_wheel.sh TARGET COMPATIBILITY OUT [OPTION...]: a wheel as a release has it. The options are for maturin.
#
# With PROFILE=1, and if TARGET is this machine's own, it is built twice. The first build counts what runs while
# benchmarks/training.py makes typical calls; the compiler optimises the second one with these counts. This needs
# rustup, for the tools that read them.
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

# The store compresses at level 1 (crates/store/src/sqlite/tables/block.rs). Without the strategies of higher levels, a
# wheel has 80 KB less. Level 1 does not use them, so the tests need no such build.
for strategy in DFAST GREEDY LAZY LAZY2 BTLAZY2 BTOPT BTULTRA; do
  CFLAGS="${CFLAGS:-} -DZSTD_EXCLUDE_${strategy}_BLOCK_COMPRESSOR"
done
export CFLAGS

build=(maturin build --release --locked --strip true --target "$target")
if [ "${PROFILE:-0}" = 1 ]; then
  if [ "$(rustc -vV | sed -n 's/^host: //p')" != "$target" ]; then
    echo "PROFILE=1 is for this machine's own target, not for $target" >&2
    exit 1
  fi
  rustup component add llvm-tools
  tools=$(rustc --print sysroot)/lib/rustlib/$target/bin
  # The functions of the core in the newest build in a folder, by the names under which they are counted.
  functions() {
    local libraries
    libraries=$(ls -t "$1/$target"/release/deps/libexactbuyer_core-*.rlib)
    "$tools/llvm-nm" --quiet --defined-only --format=just-symbols "$(head -n 1 <<< "$libraries")" \
      | grep exactbuyer_core | sort -u
  }
  place=${CARGO_TARGET_DIR:-target}/instrumented
  rm -rf "$place"/{counts,wheel,profile-*}
  mkdir -p "$place"
  place=$(cd "$place" && pwd)
  # The compiler takes no path as bash writes it on Windows.
  if command -v cygpath > /dev/null; then place=$(cygpath -m "$place"); fi
  # This build gets the same options, because `--zig` changes the names of functions. Only the linker and the
  # compiler for C differ: zig cannot link the counters.
  (
    if [[ " ${*:4} " = *" --zig "* ]]; then
      name=${target//-/_}
      export "CC_$name=cc" "CARGO_TARGET_$(tr '[:lower:]' '[:upper:]' <<< "$name")_LINKER=cc"
    fi
    export CARGO_TARGET_DIR=$place CARGO_ENCODED_RUSTFLAGS=-Cprofile-generate=$place/counts
    "${build[@]}" --compatibility linux --out "$place/wheel" "${@:4}"
  )
  "${PYTHON:-python3}" -m venv --clear "$place/venv"
  bin=$place/venv/bin
  if [ -d "$place/venv/Scripts" ]; then bin=$place/venv/Scripts; fi
  "$bin/python" -m pip install --quiet "$(echo "$place"/wheel/*.whl)[cli,pandas]"
  EXACTBUYER_OFFLINE=1 LLVM_PROFILE_FILE=$place/counts/%m_%p.profraw "$bin/python" benchmarks/training.py
  "$tools/llvm-profdata" merge -o "$place/profile" "$place/counts"
  # cargo compiles a crate again if the path of the profile differs, but not if only its content does.
  profile=$place/profile-$(cksum < "$place/profile" | tr -d ' ')
  mv "$place/profile" "$profile"
  export CARGO_ENCODED_RUSTFLAGS=-Cprofile-use=$profile
fi
"${build[@]}" --compression-level 9 --compatibility "$compatibility" --out "$out" "${@:4}"

if [ "${PROFILE:-0}" = 1 ]; then
  counted=$(functions "$place")
  built=$(functions "${CARGO_TARGET_DIR:-target}")
  common=$(comm -12 <(echo "$counted") <(echo "$built") | wc -l)
  all=$(wc -l <<< "$built")
  if [ $((common * 10)) -lt $((all * 9)) ]; then
    echo "the profile fits only $common of $all functions of the core: the two builds give them other names" >&2
    exit 1
  fi
fi
