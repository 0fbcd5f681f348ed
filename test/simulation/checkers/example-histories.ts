interface Example {
  readonly name: string;
  readonly history: string;
}

/** Each breaks the promise in one way; the checker must reject them all. */
export const BAD_HISTORIES: readonly Example[] = [
  {
    name: 'a stale read',
    history: `
      a 1-2 SET k v1: OK
      a 3-4 SET k v2: OK
      b 5-6 GET k: =v1`,
  },
  {
    name: 'a lost update',
    history: `
      a 1-5 CAS n nil 1: :1
      b 6-9 INCR n: :2
      c 7-9 INCR n: :2`,
  },
  {
    name: 'an acknowledged write that is gone',
    history: `
      a 1-2 SET k v1: OK
      b 3-4 GET k: nil`,
  },
  {
    name: 'a read of a value never written',
    history: `
      a 1-2 SET k v1: OK
      b 1-3 GET k: =v9`,
  },
  {
    name: 'a read before the write began',
    history: `
      b 1-2 GET k: =v1
      a 3-4 SET k v1: OK`,
  },
  {
    name: 'a deleted key that comes back',
    history: `
      a 1-2 SET k v1: OK
      a 3-4 DEL k: :1
      b 5-6 GET k: nil
      b 7-8 GET k: =v1`,
  },
  {
    name: 'a flushed key that comes back',
    history: `
      a 1-2 SET k v1: OK
      b 3-4 FLUSHDB: OK
      a 5-6 SET l v2: OK
      b 7-8 GET k: =v1
      b 9-10 GET l: =v2`,
  },
  {
    name: 'a flush that a conditional write did not see',
    history: `
      a 1-2 SET n 5: OK
      b 3-4 FLUSHDB: OK
      a 5-6 INCR n: :6`,
  },
  {
    name: 'one INCR that counted twice',
    history: `
      a 1-2 INCR n: :1
      b 3-4 GET n: =2`,
  },
  {
    name: 'an INCR in doubt that counted twice',
    history: `
      a 1-2 INCR n: :1
      b 3-? INCR n: unknown
      c 5-6 GET n: =3`,
  },
  {
    name: 'a compare-and-set that succeeded for two',
    history: `
      a 1-2 SET k v0: OK
      b 3-6 CAS k v0 v1: :1
      c 4-7 CAS k v0 v2: :1`,
  },
  {
    name: 'a failed compare-and-set that had no reason to fail',
    history: `
      a 1-2 SET k v0: OK
      b 3-4 CAS k v0 v1: :0`,
  },
  {
    name: 'an EXEC over a watched key that somebody else wrote meanwhile',
    history: `
      a 1-2 SET k v0: OK
      b 3-4 SET k v1: OK
      c 3-6 EXEC k v0 v2: :1
      d 7-8 GET k: =v2
      d 9-10 GET k: =v1`,
  },
  {
    name: 'a SET NX that succeeded for two',
    history: `
      a 1-4 SET lock a NX: OK
      b 2-5 SET lock b NX: OK`,
  },
  {
    name: 'an unknown write that is seen, then unseen',
    history: `
      a 1-2 SET k v1: OK
      b 3-? SET k v2: unknown
      c 4-5 GET k: =v2
      c 6-7 GET k: =v1`,
  },
  {
    name: 'a refused write that is seen',
    history: `
      a 1-2 SET k v1: OK
      b 3-4 SET k v2: refused
      c 5-6 GET k: =v2`,
  },
  {
    name: 'a refused delete that took effect',
    history: `
      a 1-2 SET k v1: OK
      b 3-4 DEL k: refused
      c 5-6 GET k: nil`,
  },
  {
    name: 'a read that goes back from one client to the next, while the write is still in flight',
    history: `
      a 1-2 SET k v1: OK
      b 3-12 SET k v2: OK
      c 4-5 GET k: =v2
      d 6-7 GET k: =v1`,
  },
  {
    name: 'a batch over two keys, half of it seen',
    history: `
      a 1-2 MSET x 1 y 1: OK
      b 3-9 MSET x 2 y 2: OK
      c 4-5 MGET x y: [=2,=1]`,
  },
  {
    name: 'a batch over two keys, seen by one key and unseen by the other',
    history: `
      b 3-9 MSET x 2 y 2: OK
      c 4-5 GET x: =2
      c 6-7 GET y: nil`,
  },
  {
    name: 'a delete in doubt that took back a later write',
    history: `
      a 1-2 SET k v1: OK
      b 3-4 DEL k: refused
      a 5-6 SET k v2: OK
      c 7-8 SET k v3 NX: OK`,
  },
  {
    name: 'a key that vanished before it was due',
    history: `
      a 1-2 SET k v1 PXAT 50: OK
      b 3-4 GET k: nil`,
  },
  {
    name: 'an expired key that comes back',
    history: `
      a 1-2 SET k v1 PXAT 5: OK
      b 7-8 GET k: nil
      c 9-10 GET k: =v1`,
  },
  {
    name: 'an expiry that took away a newer value',
    history: `
      a 1-2 SET k v1 PXAT 5: OK
      a 3-4 SET k v2: OK
      b 7-8 GET k: nil`,
  },
  {
    name: 'a value shown by a leader whose clock says that it is due',
    history: `
      a 1-2 SET k v1 PXAT 5: OK
      b 7-8 GET k: =v1 at 7`,
  },
  {
    name: 'a negative answer that nothing backs',
    history: `
      a 1-2 SET k v1: OK
      b 3-4 DEL k: :1
      c 5-6 SET k v2 NX: nil`,
  },
];

/** All of these happen in a store that keeps its promise. */
export const GOOD_HISTORIES: readonly Example[] = [
  {
    name: 'a flush of all keys while others write',
    history: `
      a 1-2 SET k v1: OK
      a 3-4 SET l v2: OK
      b 5-9 FLUSHDB: OK
      c 6-8 SET k v3: OK
      a 10-11 GET k: =v3
      a 12-13 GET l: nil`,
  },
  {
    name: 'a flush in doubt that takes effect late',
    history: `
      a 1-2 SET k v1: OK
      b 3-? FLUSHDB: unknown
      a 4-5 GET k: =v1
      a 6-7 GET k: nil`,
  },
  {
    name: 'overlapping writes, read in either order',
    history: `
      a 1-8 SET k v1: OK
      b 2-9 SET k v2: OK
      c 3-4 GET k: =v2
      c 5-6 GET k: =v1
      d 10-11 GET k: =v1`,
  },
  {
    name: 'an unknown write that takes effect late',
    history: `
      a 1-? SET k v1: unknown
      b 2-3 GET k: nil
      b 4-5 SET k v2: OK
      c 6-7 GET k: =v2
      c 8-9 GET k: =v1
      c 10-11 GET k: =v1`,
  },
  {
    name: 'unknown INCRs of which two of three took effect',
    history: `
      a 1-? INCR n: unknown
      b 1-? INCR n: unknown
      c 1-? INCR n: unknown
      d 5-6 GET n: =1
      d 7-8 INCR n: :3
      d 9-10 GET n: =3`,
  },
  {
    name: 'an unknown write that nobody read explains why a SET NX found something',
    history: `
      a 1-? SET k v1: unknown
      b 2-3 SET k v2 NX: nil
      b 4-5 DEL k: :1
      b 6-7 GET k: nil`,
  },
  {
    name: 'a batch read before and after',
    history: `
      a 1-2 MSET x 1 y 1: OK
      b 3-9 MSET x 2 y 2: OK
      c 4-5 MGET x y: [=1,=1]
      c 6-7 MGET x y: [=2,=2]
      d 10-11 DEL x y: :2`,
  },
  {
    name: 'a key that expires, a little late, and is written anew',
    history: `
      a 1-2 SET k v1 PXAT 5: OK
      b 6-7 GET k: =v1 at 4
      b 8-9 GET k: nil
      a 10-11 SET k v2: OK
      b 12-13 GET k: =v2`,
  },
  {
    name: 'an expiry given later, and taken back by another write',
    history: `
      a 1-2 SET k v1: OK
      a 3-4 PEXPIREAT k 6: :1
      b 5-6 SET k v2: OK
      c 20-21 GET k: =v2
      c 22-23 PEXPIREAT k 24: :1
      c 25-26 GET k: nil`,
  },
  {
    name: 'an INCR of a text, and one in doubt of a number',
    history: `
      a 1-2 SET k text: OK
      b 3-4 INCR k: -not an integer
      a 5-6 SET k 7: OK
      b 7-? INCR k: unknown
      c 8-9 GET k: =8`,
  },
  {
    name: 'an EXEC that gives up although the value is the same again',
    history: `
      a 1-2 SET k v0: OK
      a 3-4 SET k v1: OK
      a 5-6 SET k v0: OK
      b 7-8 EXEC k v0 v2: :0
      c 9-10 GET k: =v0`,
  },
  {
    name: 'refused writes without a trace',
    history: `
      a 1-2 SET k v1: OK
      b 3-4 SET k v2: refused
      b 5-6 INCR k: refused
      c 7-8 GET k: =v1`,
  },
];
