#!/usr/bin/env bash
# Installs the npm packages that package-lock.json pins. Called by make when package.json or the lock changed.
#
# `npm install --no-save` and not `npm ci`: ci refuses a lock file whose optional packages for other platforms
# are not to be had from the registry in use. This form takes the pinned versions, checks their integrity
# hashes, and leaves package-lock.json as it is.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v node >/dev/null; then
  echo "setup: node is not installed; Caskade needs Node 20.19 or newer (https://nodejs.org)" >&2
  exit 1
fi
if ! node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)'; then
  echo "setup: node $(node --version) is too old; Caskade needs 20.19 or newer" >&2
  exit 1
fi
if ! command -v npm >/dev/null; then
  echo "setup: npm is not installed; it comes with Node, or as the Debian package npm" >&2
  exit 1
fi

echo "setup: installing the npm packages of package-lock.json" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! npm install --no-save --no-progress --loglevel=error >"$log" 2>&1; then
  cat "$log" >&2
  echo "setup: npm install failed (see above)" >&2
  exit 1
fi
