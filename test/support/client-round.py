"""A round of the commands by python3-redis with its defaults. Usage: client-round.py PORT. Prints OK at the end."""
import sys

import redis

client = redis.Redis(port=int(sys.argv[1]))
binary = bytes(range(256))
large = b"python " * (5 * 1024 * 1024 // 7)


def check(name, found, expected):
    if found != expected:
        sys.exit(f"{name}: found {found!r:.200}, expected {expected!r:.200}")


check("ping", client.ping(), True)
check("flushall", client.flushall(), True)
check("set", client.set("k", "v"), True)
check("get", client.get("k"), b"v")
check("get of none", client.get("none"), None)
check("set nx", client.set("k", "w", nx=True), None)
check("set get", client.set("k", "w", get=True), b"v")
check("mset", client.mset({"a": 1, "b": 2}), True)
check("mget", client.mget("a", "b", "none"), [b"1", b"2", None])
check("incr", client.incr("a"), 2)
check("incrby", client.incrby("a", 40), 42)
check("decr", client.decr("a"), 41)
check("append", client.append("k", "!"), 2)
check("strlen", client.strlen("k"), 2)
check("expire", client.expire("k", 100), True)
check("ttl", 98 <= client.ttl("k") <= 100, True)
check("persist", client.persist("k"), True)
check("pttl", client.pttl("k"), -1)
check("type", client.type("k"), b"string")
check("exists", client.exists("a", "b", "none"), 2)
check("binary", (client.set(binary, binary), client.get(binary)), (True, binary))
check("large", (client.set("large", large), client.get("large") == large), (True, True))
check("keys", sorted(client.keys("[ab]")), [b"a", b"b"])
check("scan", sorted(client.scan_iter(count=2)), sorted([b"k", b"a", b"b", binary, b"large"]))
check("dbsize", client.dbsize(), 5)
check("del", client.delete("a", "b", "none"), 2)
with client.pipeline(transaction=False) as pipeline:
    for index in range(1000):
        pipeline.set(f"p{index}", index).get(f"p{index}")
    check("pipeline", pipeline.execute()[1::2], [str(index).encode() for index in range(1000)])
check("info", client.info()["redis_version"], "7.2.4")
check("config get", client.config_get("maxmemory"), {"maxmemory": "0"})
check("client setname", (client.client_setname("round"), client.client_getname()), (True, "round"))
try:
    client.incr("k")
    sys.exit("incr of a text: no error")
except redis.ResponseError as error:
    check("error", str(error), "value is not an integer or out of range")
try:
    client.execute_command("NOSUCH", "x")
    sys.exit("an unknown command: no error")
except redis.ResponseError as error:
    check("unknown", str(error).startswith("unknown command 'NOSUCH'"), True)
client.close()
print("OK")
