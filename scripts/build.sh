#!/usr/bin/env bash
# Builds one preset: scripts/build.sh PRESET [TARGET…]. Configures it when that is due.
# The preset static makes one file, build/static/quire, that needs no other; release puts the program into .venv, too.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
preset=${1:?usage: scripts/build.sh PRESET [TARGET...]}
shift
# Paths relative to here in what ccache compares, so that every checkout profits from the others'.
export CCACHE_BASEDIR=$PWD
launcher=()
command -v ccache >/dev/null && launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
[ -e "build/$preset/build.ninja" ] || cmake --preset "$preset" "${launcher[@]}" > /dev/null
# PyTorch may have come since: scripts/setup.sh after the quickstart.
if [ "$preset" = release ] && grep -q 'QUIRE_WITH_TORCH:BOOL=OFF' build/release/CMakeCache.txt &&
  ls .venv/lib/python3*/site-packages/torch/include/torch >/dev/null 2>&1; then
  cmake --preset release -DQUIRE_WITH_TORCH=ON > /dev/null
fi
ninja -C "build/$preset" --quiet -j "$(nproc)" "$@"
if [ "$preset" = static ] && [ -e build/static/quire ]; then
  echo "build/static/quire: $(stat -c %s build/static/quire) bytes, one file that needs no other"
fi
# Whoever builds what users run has it in Python, too.
if [ "$preset" = release ] && [ -e .venv/.quire-base ]; then scripts/install_python.sh; fi
