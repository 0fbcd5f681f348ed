#!/usr/bin/env bash
# `make check`: one line per check, `ok` or what is wrong. All checks run, also after one failed.
set -uo pipefail
cd "$(dirname "$0")/.."
bin=node_modules/.bin
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failures=0

check() {
  local name=$1
  shift
  if "$@" >"$log" 2>&1 </dev/null; then
    printf 'ok      %s\n' "$name"
  else
    printf 'FAILED  %s\n' "$name"
    sed 's/^/        /' "$log"
    failures=$((failures + 1))
  fi
}

check 'format and lint' "$bin/biome" check --error-on-warnings --max-diagnostics=50 .
check 'types' "$bin/tsc" -p tsconfig.json --noEmit --incremental false
check 'promises and switches' "$bin/oxlint" --type-aware --deny-warnings src test bench scripts
check 'build' "$bin/tsc" -p tsconfig.json
check 'import law and house rules' node dist/scripts/run-tests.js --reporter dot test/architecture
check 'tracked files' node dist/scripts/check-tracked-files.js
check 'generated code is fresh' scripts/generate-proto.sh --check
check 'docs/CONFIG.md is fresh' node dist/scripts/generate-config-docs.js --check

if [ "$failures" -gt 0 ]; then
  echo "make check: $failures failed" >&2
  exit 1
fi
