#!/usr/bin/env bash
# Builds the core for the browser, and lays out a folder that any file host can serve.
# Usage: scripts/build_wasm.sh [MODEL]
#   web/wasm/dist   the core, for one thread and for several; web/wasm is then the package @quire/web
#   build/demo      the demo page, with the model package MODEL beside it when one is given
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
case "${1:-}" in -h | --help) sed -n '2,5s/^# //p' "$0"; exit 0 ;; esac

scripts/setup_wasm.sh
scripts/build.sh wasm quire_web
mkdir -p web/wasm/dist
for module in quire quire_threads; do
  cp build/wasm/$module.wasm web/wasm/dist/
  echo "web/wasm/dist/$module.wasm: $(stat -c %s web/wasm/dist/$module.wasm) bytes, $(gzip -9c web/wasm/dist/$module.wasm | wc -c) compressed"
done

rm -rf build/demo
mkdir -p build/demo
cp -r web/demo/. build/demo/
mkdir build/demo/quire
cp -r web/wasm/src web/wasm/dist build/demo/quire/
if [ -n "${1:-}" ]; then
  [ -e "$1/model_info.json" ] || die "$1 is no model package" "give the folder that quire-export made"
  cp -rL "$1" build/demo/model
fi
