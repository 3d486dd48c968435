#!/usr/bin/env bash
# Builds one preset: scripts/build.sh PRESET [TARGET…]. Configures it when that is due.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
preset=${1:?usage: scripts/build.sh PRESET [TARGET...]}
shift
launcher=()
command -v ccache >/dev/null && launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
[ -e "build/$preset/build.ninja" ] || cmake --preset "$preset" "${launcher[@]}" > /dev/null
ninja -C "build/$preset" --quiet -j "$(nproc)" "$@"
