/**
 * The keydir alone, in process: `node --expose-gc dist/bench/keydir.js [million keys]`.
 * Keys have 16 bytes. Memory is the growth of the resident set over what it was before the first key, less the
 * 16 bytes of the key; the worst moment is looked for at every 1/256 of the load.
 */
import { KeyHash } from '../src/storage/keydir/key-hash.ts';
import { Keydir } from '../src/storage/keydir/keydir.ts';

const KEY_BYTES = 16;
const LOOKUPS = 2_000_000;
const EXPIRING = 1_000_000;
const keyCount = Math.round(Number(process.argv[2] ?? 8) * 1_000_000);

const hasher = new KeyHash(Uint8Array.from([9, 8, 7, 6, 5, 4, 3, 2]));
const key = Buffer.alloc(KEY_BYTES, 'k');
const rows: [string, string][] = [];

/** The key of a number: its hexadecimal digits behind a prefix, without a string and cheap beside the keydir. */
function writeKey(number: number): void {
  for (let digit = 0; digit < 8; digit++) key[KEY_BYTES - 1 - digit] = 97 + ((number >>> (digit * 4)) & 15);
}

function residentBytes(): number {
  return process.memoryUsage.rss();
}

function collect(): void {
  if (globalThis.gc === undefined) throw new Error('run with node --expose-gc');
  globalThis.gc();
}

/** Runs `each` for 0..count-1 in blocks; returns seconds of work, without what `between` takes. */
function timed(count: number, each: (number: number) => void, between: () => void = () => {}): number {
  const block = Math.ceil(count / 256);
  let nanoseconds = 0n;
  for (let from = 0; from < count; from += block) {
    const began = process.hrtime.bigint();
    for (let number = from; number < Math.min(count, from + block); number++) each(number);
    nanoseconds += process.hrtime.bigint() - began;
    between();
  }
  return Number(nanoseconds) / 1e9;
}

function rate(name: string, count: number, seconds: number): void {
  rows.push([
    name,
    `${(count / seconds / 1e6).toFixed(2)} M/s  (${((seconds / count) * 1e9).toFixed(0)} ns)`,
  ]);
}

/** The next number of a walk over 0..keyCount-1 that jumps around and meets each once in keyCount steps. */
const SCATTER_STEP = 1_000_003;
let scatterAt = 0;
function scattered(): number {
  scatterAt += SCATTER_STEP;
  while (scatterAt >= keyCount) scatterAt -= keyCount;
  return scatterAt;
}

const keydir = new Keydir({ hasher });
collect();
const residentBefore = residentBytes();
const overhead = (): number => (residentBytes() - residentBefore) / keydir.size - KEY_BYTES;
const ownOverhead = (): number => keydir.memoryBytes / keydir.size - KEY_BYTES;

function put(number: number, expiresAtMs = 0): void {
  writeKey(number);
  const hash = hasher.hash(key, 0, KEY_BYTES);
  keydir.put(hash, key, 0, KEY_BYTES, number & 0xff, number * 100, 100, number, expiresAtMs);
}

function look(number: number): void {
  writeKey(number);
  keydir.find(hasher.hash(key, 0, KEY_BYTES), key, 0, KEY_BYTES);
}

let worstResident = 0;
let worstOwn = 0;
const watch = (): void => {
  if (keydir.size < keyCount / 2) return;
  worstResident = Math.max(worstResident, overhead());
  worstOwn = Math.max(worstOwn, ownOverhead());
};

rate(
  'hash of 16 bytes',
  LOOKUPS,
  timed(LOOKUPS, () => hasher.hash(key, 0, KEY_BYTES)),
);
rate('put, growing to all keys', keyCount, timed(keyCount, put, watch));
rows.push(['bytes over the key, worst while growing: resident', worstResident.toFixed(1)]);
rows.push(['bytes over the key, worst while growing: own count', worstOwn.toFixed(1)]);
collect();
rows.push(['bytes over the key, all keys in: resident', overhead().toFixed(1)]);
rate(
  'find, hit, scattered',
  LOOKUPS,
  timed(LOOKUPS, () => look(scattered())),
);
rate(
  'find, miss',
  LOOKUPS,
  timed(LOOKUPS, (number) => look(keyCount + number)),
);
rate(
  'put, replacing, scattered',
  LOOKUPS,
  timed(LOOKUPS, () => put(scattered())),
);

worstResident = 0;
const churn = (): void => {
  const victim = scattered();
  writeKey(victim);
  keydir.remove(hasher.hash(key, 0, KEY_BYTES), key, 0, KEY_BYTES);
  put(victim);
};
rate('remove and put again, one by one, scattered', keyCount, timed(keyCount, churn, watch));
rows.push(['bytes over the key, after remove and put again: resident', worstResident.toFixed(1)]);

const removeKey = (number: number): void => {
  writeKey(number);
  keydir.remove(hasher.hash(key, 0, KEY_BYTES), key, 0, KEY_BYTES);
};
rate(
  'remove all',
  keyCount,
  timed(keyCount, () => removeKey(scattered())),
);
// In small groups, so that measuring makes no garbage that would count as resident. Processor time beside the wall
// clock: on a shared machine the latter also counts who else ran meanwhile.
const GROUP = 64;
let longestMs = 0;
let longestCpuMs = 0;
for (let from = 0; from < keyCount; from += GROUP) {
  const cpuBefore = process.cpuUsage();
  const began = performance.now();
  for (let number = from; number < Math.min(keyCount, from + GROUP); number++) put(number);
  const tookMs = performance.now() - began;
  const cpu = process.cpuUsage(cpuBefore);
  longestMs = Math.max(longestMs, tookMs);
  longestCpuMs = Math.max(longestCpuMs, Math.min(tookMs, (cpu.user + cpu.system) / 1000));
}
collect();
rows.push(['bytes over the key, all removed, all put again: resident', overhead().toFixed(1)]);
rows.push(['longest 64 puts while growing again, wall', `${longestMs.toFixed(2)} ms`]);
rows.push(['longest 64 puts while growing again, processor', `${longestCpuMs.toFixed(2)} ms`]);

const dueMs = 1_800_000_000_000;
const expiring = (number: number): void => put(scattered(), dueMs + ((number * 7_919) % 1000));
rate('put with an expiry', EXPIRING, timed(EXPIRING, expiring));
let announced = 0;
const announce = (): void => {
  announced += keydir.popDue(dueMs + 1000, 10_000, () => {});
};
const seconds = timed(EXPIRING / 10_000, announce);
rate(`announce due keys (${announced})`, announced, seconds);
let visited = 0;
let position = 0;
const scanBegan = process.hrtime.bigint();
do {
  position = keydir.scan(position, 1000, () => visited++);
} while (position !== 0);
rate(`scan (${visited})`, visited, Number(process.hrtime.bigint() - scanBegan) / 1e9);

console.log(`keydir, ${keyCount} keys of ${KEY_BYTES} bytes, node ${process.version}`);
for (const [name, value] of rows) console.log(`  ${name.padEnd(58)} ${value}`);
