"""A round of commands by python3-redis with its defaults, over keys of all partitions. Usage: plain-client-round.py PORT. Prints OK at the end."""
import sys

import redis

client = redis.Redis(port=int(sys.argv[1]))
keys = [f"python:{index}" for index in range(30)]
values = [key.encode() for key in keys]


def check(name, found, expected):
    if found != expected:
        sys.exit(f"{name}: found {found!r:.200}, expected {expected!r:.200}")


check("flushall", client.flushall(), True)
for key in keys:
    check("set", client.set(key, key), True)
check("mget", client.mget(keys + ["none"]), values + [None])
check("exists", client.exists(*keys, "none"), 30)
check("dbsize", client.dbsize(), 30)
check("keys", sorted(client.keys("python:*")), sorted(values))
check("scan", sorted(client.scan_iter(count=7)), sorted(values))
with client.pipeline(transaction=False) as pipeline:
    for index in range(30):
        pipeline.set(f"p{index}", index).get(f"p{index}")
    check("pipeline", pipeline.execute()[1::2], [str(index).encode() for index in range(30)])
check("del", client.delete(*keys, "none"), 30)
check("incr", [client.incr("count") for _ in range(5)], [1, 2, 3, 4, 5])
check("wait", client.wait(2, 1000), 2)
client.close()
print("OK")
