#!/usr/bin/env bash
# Installs the Python package quire-llm into .venv, so that .venv/bin/quire, .venv/bin/quire-export and
# `import quire` work. The engine is taken from build/release, never compiled again; without a build
# the Python files alone are installed. Does nothing when neither has changed since.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
[ -x .venv/bin/python ] || die "there is no .venv" "run scripts/setup.sh"
tree=build/release native=OFF engine=none log=build/python-install.log
mkdir -p build
fail() {
  tail -20 "$log" >&2
  die "quire-llm could not be $1" "see $log"
}
if [ -x "$tree/quire" ] && [ -e "$tree/build.ninja" ]; then
  native=ON
  ninja -C "$tree" --quiet -j "$(nproc)" quire quire_static > "$log" 2>&1 || fail built
  engine=$(stat -c '%Y %s' "$tree/libquire.a" "$tree/quire" | tr '\n' ' ')
fi
stamp=.venv/.quire-llm
wanted="$(digest python pyproject.toml) $engine $PWD"
[ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && exit 0
step "Installing quire-llm into .venv"
options=(--config-settings cmake.source-dir=python --config-settings "build-dir=build/python-$native"
  --config-settings "cmake.define.QUIRE_NATIVE=$native"
  --config-settings "cmake.define.QUIRE_BUILD_TREE=$tree")
command -v ccache >/dev/null && options+=(--config-settings cmake.define.CMAKE_CXX_COMPILER_LAUNCHER=ccache)
# Without isolation: what builds it is pinned in requirements-base.txt and in .venv already.
.venv/bin/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation \
  --force-reinstall "${options[@]}" . > "$log" 2>&1 || fail installed
echo "$wanted" > "$stamp"
