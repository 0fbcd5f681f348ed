#!/usr/bin/env bash
# `make coverage`: which branches of the replicated store the simulator alone reaches. Runs RUNS seeds (default 200) and fails if one of the three folders has less
# than 90 % of its branches covered. Writes coverage/<folder>.txt, which names the lines that were not.
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${RUNS:-200}
seed=${SEED:-1}
raw=$(mktemp -d)
trap 'rm -rf "$raw"' EXIT
mkdir -p coverage
failures=0

NODE_V8_COVERAGE=$raw node dist/scripts/simulate.js --seed "$seed" --runs "$runs"
for folder in replication controller storage; do
  report=(node_modules/.bin/c8 report --temp-directory "$raw" --reports-dir coverage --exclude-after-remap --include "src/$folder/**")
  "${report[@]}" --reporter text >"coverage/$folder.txt"
  printf '%-12s ' "$folder"
  "${report[@]}" --reporter text-summary | grep Branches
  "${report[@]}" --reporter none --check-coverage --branches 90 --lines 0 --functions 0 --statements 0 || failures=$((failures + 1))
done
[ "$failures" -eq 0 ]
