#!/usr/bin/env bash
# Installs the Debian packages that `make test` and `make bench` need: redis-server (the oracle that our replies
# are compared with), redis-tools (redis-cli, redis-benchmark) and python3-redis (a client with other habits).
# Silent when all is there. Starts no service, and touches no redis that was installed before.
set -euo pipefail

missing=()
command -v redis-server >/dev/null || missing+=(redis-server)
{ command -v redis-cli && command -v redis-benchmark; } >/dev/null || missing+=(redis-tools)
[ -x /usr/bin/python3 ] && /usr/bin/python3 -c 'import redis' 2>/dev/null || missing+=(python3-redis)
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
  echo "setup: the tests need ${missing[*]}, and there is no apt-get here to install them with" >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "setup: the tests need ${missing[*]}; run as root: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

policy=/usr/sbin/policy-rc.d
policy_is_ours=no
remove_policy() {
  if [ "$policy_is_ours" = yes ]; then "${as_root[@]}" rm -f "$policy"; fi
}
trap remove_policy EXIT

# Debian starts a service when its package is installed, unless policy-rc.d forbids it: port 6379 is ours.
forbid_service_start() {
  [ ! -e "$policy" ] || return 0
  policy_is_ours=yes
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
}

# ... and enables it for the next boot. Only what we installed a moment ago is disabled.
keep_service_off() {
  if [[ " ${missing[*]} " == *" redis-server "* ]] && command -v systemctl >/dev/null; then
    if ! "${as_root[@]}" systemctl disable --now redis-server >/dev/null 2>&1; then
      echo "setup: could not disable the redis-server service; it may start at the next boot" >&2
    fi
  fi
}

log=$(mktemp)
trap 'remove_policy; rm -f "$log"' EXIT
install_missing() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends "${missing[@]}" </dev/null >"$log" 2>&1
}

echo "setup: installing the Debian packages ${missing[*]} (the service redis-server stays off)" >&2
forbid_service_start
# The package lists are fetched only when those at hand do not do.
if ! install_missing; then
  "${as_root[@]}" apt-get update </dev/null >"$log" 2>&1 && install_missing || {
    cat "$log" >&2
    echo "setup: could not install ${missing[*]} (see above)" >&2
    exit 1
  }
fi
keep_service_off
