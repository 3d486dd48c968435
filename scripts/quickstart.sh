#!/usr/bin/env bash
# From a fresh Debian 12 machine to an answer: installs, builds, makes the default model, asks it.
# Usage: scripts/quickstart.sh [QUESTION]
set -euo pipefail
case "${1:-}" in
  -h | --help) sed -n '2,3s/^# //p' "$0"; exit 0 ;;
esac
cd "$(dirname "$0")/.."
. scripts/lib.sh
scripts/setup.sh --base
if [ ! -x build/release/quire ]; then step "Building build/release/quire (six to eight minutes on two cores)"; fi
scripts/build.sh release quire
scripts/default_model.sh
question=${1:-What is the capital of France?}
step "Asking: $question"
.venv/bin/quire generate -m models/smollm2-135m-instruct --stats "$question"
