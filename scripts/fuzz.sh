#!/usr/bin/env bash
# Runs every fuzzer for a while, from its corpus on: scripts/fuzz.sh [SECONDS each, 5 unless told].
# What one finds stays in build/fuzz/found; put it into fuzz/corpus once it is mended.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
seconds=${1:-5}
scripts/build.sh fuzz fuzzers
found=build/fuzz/found
mkdir -p "$found"
# A corpus of its own or, for the executor, that of the file it executes.
corpus_of() { [ -d "fuzz/corpus/$1" ] && echo "fuzz/corpus/$1" || echo fuzz/corpus/onnx_inspect; }

num_fuzzers=0
for program in build/fuzz/fuzz/*_fuzz; do
  body=$(basename "$program" _fuzz)
  grown=build/fuzz/grown/$body
  mkdir -p "$grown"
  "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$found/$body-" \
    "$grown" "$(corpus_of "$body")" > "build/fuzz/$body.log" 2>&1 || {
    tail -40 "build/fuzz/$body.log" >&2
    die "the fuzzer $body found something" "run $program with the newest file of $found/$body-*"
  }
  num_fuzzers=$((num_fuzzers + 1))
done
[ "$num_fuzzers" -gt 0 ] || die "there is no fuzzer in build/fuzz/fuzz" "see scripts/build.sh fuzz"
echo "$num_fuzzers fuzzers, $seconds s each: nothing found"
