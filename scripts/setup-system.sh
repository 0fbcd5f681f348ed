#!/usr/bin/env bash
# Installs the Debian packages that are missing, and is silent when all is there. Starts no service, and touches no
# redis, etcd or ZooKeeper that was installed before.
#
#   scripts/setup-system.sh            what `make test` needs:
#       redis-server         the oracle that our replies are compared with
#       redis-tools          redis-cli, redis-benchmark
#       python3-redis        a client with other habits
#       chromium-headless-shell  opens the report of `make demo`, unless there is a chromium or chrome
#       libzookeeper-java    ZooKeeper: its jars alone, no service and no user
#       default-jre-headless what runs them, unless there is a java
#   scripts/setup-system.sh bench      these, and the peer that only `make bench` needs: etcd-server
#   scripts/setup-system.sh zookeeper  ZooKeeper and java alone, for `make cluster` and `make demo`
#
# With ZOOKEEPER_HOME set, ZooKeeper is taken from there and not installed.
set -euo pipefail

part=${1:-test}
case $part in
  test | bench | zookeeper) ;;
  *)
    echo "usage: scripts/setup-system.sh [bench|zookeeper]" >&2
    exit 2
    ;;
esac

missing=()
if [ "$part" != zookeeper ]; then
  command -v redis-server >/dev/null || missing+=(redis-server)
  { command -v redis-cli && command -v redis-benchmark; } >/dev/null || missing+=(redis-tools)
  # As findBrowser of test/demo/browser.ts.
  command -v chromium-headless-shell chromium chromium-browser google-chrome >/dev/null ||
    missing+=(chromium-headless-shell)
  [ -x /usr/bin/python3 ] && /usr/bin/python3 -c 'import redis' 2>/dev/null || missing+=(python3-redis)
fi
if [ "$part" = bench ]; then command -v etcd >/dev/null || missing+=(etcd-server); fi
[ -n "${ZOOKEEPER_HOME:-}" ] || [ -e /usr/share/java/zookeeper.jar ] || missing+=(libzookeeper-java)
[ -x "${JAVA_HOME:-/nonexistent}/bin/java" ] || command -v java >/dev/null || missing+=(default-jre-headless)
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
  echo "setup: ${missing[*]} are missing, and there is no apt-get here to install them with" >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "setup: ${missing[*]} are missing; run as root: apt-get install --no-install-recommends ${missing[*]}" >&2
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

# The service that a package brings; nothing for one that brings none.
service_of() {
  case $1 in
    redis-server) echo redis-server ;;
    etcd-server) echo etcd ;;
  esac
}

services=()
for package in "${missing[@]}"; do services+=($(service_of "$package")); done

# ... and enables it for the next boot. Only what we installed a moment ago is disabled.
keep_services_off() {
  command -v systemctl >/dev/null || return 0
  local service
  for service in "${services[@]}"; do
    if ! "${as_root[@]}" systemctl disable --now "$service" >/dev/null 2>&1; then
      echo "setup: could not disable the service $service; it may start at the next boot" >&2
    fi
  done
}

log=$(mktemp)
trap 'remove_policy; rm -f "$log"' EXIT
install_missing() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends "${missing[@]}" </dev/null >"$log" 2>&1
}

off=''
[ ${#services[@]} -eq 0 ] || off=" (the services stay off: ${services[*]})"
echo "setup: installing the Debian packages ${missing[*]}$off" >&2
forbid_service_start
# The package lists are fetched only when those at hand do not do.
if ! install_missing; then
  "${as_root[@]}" apt-get update </dev/null >"$log" 2>&1 && install_missing || {
    cat "$log" >&2
    echo "setup: could not install ${missing[*]} (see above)" >&2
    exit 1
  }
fi
keep_services_off
