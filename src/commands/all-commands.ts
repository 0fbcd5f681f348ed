import { cluster } from './cluster/cluster.ts';
import { asking, readonly, readwrite } from './cluster/modes.ts';
import { client } from './connection/client.ts';
import { hello } from './connection/hello.ts';
import { echo, ping, quit } from './connection/ping.ts';
import { select } from './connection/select.ts';
import { del, unlink } from './generic/del.ts';
import { exists, touch } from './generic/exists.ts';
import { expire, pexpire } from './generic/expire.ts';
import { keys } from './generic/keys.ts';
import { scan } from './generic/scan.ts';
import { persist, pttl, ttl } from './generic/ttl.ts';
import { type } from './generic/type.ts';
import { wait, waitaof } from './generic/wait.ts';
import { bgrewriteaof } from './server/bgrewriteaof.ts';
import { command } from './server/command.ts';
import { config } from './server/config.ts';
import { dbsize } from './server/dbsize.ts';
import { flushall, flushdb } from './server/flush.ts';
import { info } from './server/info.ts';
import { shutdown } from './server/shutdown.ts';
import type { CommandSpec } from './spec.ts';
import { append } from './string/append.ts';
import { get } from './string/get.ts';
import { getdel } from './string/getdel.ts';
import { decr, decrby, incr, incrby } from './string/incr.ts';
import { mget } from './string/mget.ts';
import { mset } from './string/mset.ts';
import { set } from './string/set.ts';
import { psetex, setex, setnx } from './string/set-variants.ts';
import { strlen } from './string/strlen.ts';

/** Every command there is. A new one is a file of its own and a line here. */
export const ALL_COMMANDS: readonly CommandSpec[] = [
  // string
  append,
  decr,
  decrby,
  get,
  getdel,
  incr,
  incrby,
  mget,
  mset,
  psetex,
  set,
  setex,
  setnx,
  strlen,
  // generic
  del,
  exists,
  expire,
  keys,
  persist,
  pexpire,
  pttl,
  scan,
  touch,
  ttl,
  type,
  unlink,
  wait,
  waitaof,
  // connection
  client,
  echo,
  hello,
  ping,
  quit,
  select,
  // cluster
  asking,
  cluster,
  readonly,
  readwrite,
  // server
  bgrewriteaof,
  command,
  config,
  dbsize,
  flushall,
  flushdb,
  info,
  shutdown,
];
