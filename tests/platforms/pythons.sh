# Versions of CPython that this machine does not have. Sourced by the scripts in this folder, after tools.sh.
# Needs Debian itself: the newest ones come from its next release, and that for musl is built from its source.

# debian RELEASE COMMAND...: an apt command with the packages and the sources of another release of Debian. The
# configuration of this machine stays as it is.
debian() {
  local place=$TOOLS/apt-$1 site
  site=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | sed -n 1p)
  if [ -z "$site" ]; then
    echo "apt knows no archive of Debian" >&2
    return 1
  fi
  mkdir -p "$place/lists/partial" "$place/archives/partial"
  printf '%s [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' deb "$site" "$1" \
    deb-src "$site" "$1" > "$place/sources.list"
  local apt=$2
  shift 2
  "$apt" -qq -o "Dir::Etc::SourceList=$place/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o "Dir::State=$place" -o "Dir::Cache=$place" -o APT::Sandbox::User=root "$@"
}

# Unpacks versions that are newer than this machine's, and puts the paths of their programs into NEWER_PYTHONS.
# Nothing is installed. The programs need a newer C library than the machine has, so each is changed to load the one
# that was unpacked with it.
need_newer_pythons() {
  local root=$TOOLS/newer packages package program libraries
  if ! [ -e "$root/made" ]; then
    say "newer versions of CPython"
    rm -rf "$root"
    mkdir -p "$root/debs"
    debian sid apt-get update
    packages=$(debian sid apt-cache search --names-only '^python3\.1[4-9]-venv$' | cut -d ' ' -f 1)
    # shellcheck disable=SC2086 # one word for each package
    packages=$(debian sid apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
      --no-replaces --no-enhances $packages | grep -E '^(gcc|lib|python3|zlib)' | sort -u)
    # shellcheck disable=SC2086
    (cd "$root/debs" && debian sid apt-get download $packages)
    for package in "$root"/debs/*.deb; do dpkg -x "$package" "$root"; done
    rm -rf "$root/debs"
    libraries=$root/usr/lib/$(uname -m)-linux-gnu
    for program in "$root"/usr/bin/python3.1?; do
      patchelf --set-interpreter "$(find "$libraries" -name 'ld-linux*.so.*' -print -quit)" \
        --force-rpath --set-rpath "$libraries" "$program"
    done
    # The folder in which ensurepip looks for the wheel of pip.
    sed -i "/'WHEEL_PKG_DIR'/s|: '.*'|: '$root/usr/share/python-wheels'|" "$root"/usr/lib/python3.1?/_sysconfigdata_*.py
    touch "$root/made"
  fi
  NEWER_PYTHONS=("$root"/usr/bin/python3.1?)
  "${NEWER_PYTHONS[@]: -1}" --version
}

# A CPython for musl, from the source of this release of Debian: MUSL_PYTHON is its program. It has zlib, but no module
# that needs another library (ssl, ctypes, sqlite3).
need_musl_python() {
  local place=$TOOLS/musl release python source
  MUSL_PYTHON=$place/bin/python3
  if ! [ -e "$place/made" ]; then
    say "a CPython for musl, from its source"
    if ! command -v musl-gcc > /dev/null; then
      as_root apt-get update -qq
      as_root apt-get install -y -qq --no-install-recommends musl-tools > /dev/null
    fi
    rm -rf "$place" "$TOOLS/musl-source"
    mkdir -p "$place" "$TOOLS/musl-source/zlib" "$TOOLS/musl-source/python"
    # The build of CPython asks the compiler where this machine's libraries are, and must not find those of glibc.
    cat > "$place/cc" << 'END'
#!/bin/sh
case $1 in *print-multiarch) echo "$(uname -m)-linux-musl" ;; *) exec musl-gcc "$@" ;; esac
END
    chmod +x "$place/cc"
    release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    debian "$release" apt-get update
    python=$(debian "$release" apt-cache depends python3 | sed -n 's/^ *Depends: \(python3\.[0-9]*\)$/\1/p')
    (cd "$TOOLS/musl-source" && debian "$release" apt-get source --download-only "$python" zlib)
    for source in zlib python; do
      tar -xf "$(echo "$TOOLS/musl-source/$source"*.orig.tar.*)" --strip-components 1 -C "$TOOLS/musl-source/$source"
    done
    if ! {
      cd "$TOOLS/musl-source/zlib" && CC=$place/cc CFLAGS="-O2 -fPIC" ./configure --static --prefix="$place" && make install \
        && cd ../python && CC=$place/cc CPPFLAGS=-I$place/include LDFLAGS=-L$place/lib \
          ./configure --prefix="$place" --without-ensurepip --disable-test-modules \
        && make -j "$(nproc)" && make install
    } > "$TOOLS/musl-source/log" 2>&1; then
      tail -20 "$TOOLS/musl-source/log" >&2
      return 1
    fi
    cd "$ROOT"
    rm -rf "$TOOLS/musl-source"
    touch "$place/made"
  fi
  "$MUSL_PYTHON" --version
}
