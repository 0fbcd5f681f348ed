"""A round of commands by python3-redis' RedisCluster with its defaults. Usage: cluster-client-round.py PORT. Prints OK at the end."""
import sys

from redis.cluster import RedisCluster
from redis.exceptions import RedisClusterException, ResponseError

client = RedisCluster(host="127.0.0.1", port=int(sys.argv[1]))
keys = [f"python:{index}" for index in range(60)]


def check(name, found, expected):
    if found != expected:
        sys.exit(f"{name}: found {found!r:.200}, expected {expected!r:.200}")


check("primaries", len(client.get_primaries()) >= 1, True)
for key in keys:
    check("set", client.set(key, key), True)
for key in keys:
    check("get", client.get(key), key.encode())
check("mset", client.mset({"{python}a": 1, "{python}b": 2}), True)
check("mget", client.mget("{python}a", "{python}b", "{python}c"), [b"1", b"2", None])
check("incr", client.incr("{python}a"), 2)
check("del", client.delete("{python}a", "{python}b"), 2)
check("del of many slots", client.delete(*keys[:10]), 10)
with client.pipeline() as pipeline:
    for key in keys[10:]:
        pipeline.get(key)
    check("pipeline", pipeline.execute(), [key.encode() for key in keys[10:]])
check("keys", len(client.keys("python:*", target_nodes=RedisCluster.PRIMARIES)), 50)
check("scan", len(set(client.scan_iter("python:*"))), 50)
check("keyslot", client.cluster_keyslot("foo"), 12182)
check("info", client.cluster_info()["cluster_state"], "ok")
try:
    client.mget("python:11", "python:12")
    sys.exit("mget over slots: no error")
except (RedisClusterException, ResponseError):
    pass
client.close()
print("OK")
