#!/usr/bin/env bash
# The whole package is compiled for macOS, as far as that is possible without Apple's files: nothing is linked or run.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"

need_compiler
for target in aarch64-apple-darwin x86_64-apple-darwin; do
  say "cargo check for $target"
  cross check --locked -p exactbuyer_python --target "$target"
done
