import { expect } from 'chai';
import fc from 'fast-check';
import { LocalRouter } from '../../src/cluster/local-router.ts';
import { slotOf } from '../../src/cluster/slots.ts';
import { SLOT_COUNT } from '../../src/model/numbers.ts';
import type { LeaderPartition } from '../../src/replication/leader-partition.ts';

function slot(key: string, before = '', after = ''): number {
  const bytes = Buffer.from(before + key + after);
  const start = Buffer.byteLength(before);
  return slotOf(bytes, start, start + Buffer.byteLength(key));
}

/** CRC-16/XMODEM bit by bit, as the catalogue defines it. */
function slowCrc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  return crc;
}

describe('the hash slot of a key', () => {
  const known: Record<string, number> = { foo: 12182, bar: 5061, hello: 866, '123456789': 0x31c3, '': 0 };
  for (const [key, expected] of Object.entries(known)) {
    it(`of '${key}' is ${expected}`, () => {
      expect(slot(key)).to.equal(expected);
    });
  }

  it('is the CRC-16 of the catalogue modulo 16384', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const key = bytes.filter((byte) => byte !== 0x7b);
        return slotOf(key, 0, key.length) === slowCrc16(key) % SLOT_COUNT;
      }),
    );
  });

  it('is that of the tag between the first brace and the next closing one', () => {
    expect(slot('{user1000}.following'))
      .to.equal(slot('{user1000}.followers'))
      .and.to.equal(slot('user1000'));
    expect(slot('foo{{bar}}zap')).to.equal(slot('{bar'));
    expect(slot('foo{bar}{zap}')).to.equal(slot('bar'));
    expect(slot('a}b{c}d')).to.equal(slot('c'));
  });

  it('is that of the whole key if the tag is empty or not closed', () => {
    const whole = (key: string): number => slowCrc16(Buffer.from(key)) % SLOT_COUNT;
    for (const key of ['{}', 'foo{}{bar}', '{', 'foo{bar', '}foo{', '{}bar']) {
      expect(slot(key), key).to.equal(whole(key));
    }
  });

  it('depends on nothing around the key', () => {
    for (const key of ['foo', '{a}b', 'x{y', '{']) {
      expect(slot(key, '{zz}', '}{q}'), key).to.equal(slot(key));
    }
  });
});

describe('the router of a node alone', () => {
  const partition = (id: number): LeaderPartition => ({ id }) as unknown as LeaderPartition;
  const partitions = [partition(0), partition(1), partition(2)];
  const slots = [
    [0, 5000, 2],
    [5001, 12181, 0],
    [12182, 12182, 1],
    [12183, 16383, 0],
  ] as const;

  const idOf = (router: LocalRouter, key: string): number => {
    const bytes = Buffer.from(`:${key}`);
    return router.partitionOf(bytes, 1, bytes.length).id;
  };

  it('goes by the ranges that are stored, whatever their order and number', () => {
    const router = new LocalRouter(partitions, slots);
    expect(idOf(router, 'foo')).to.equal(1);
    expect(idOf(router, 'bar')).to.equal(0);
    expect(idOf(router, 'hello')).to.equal(2);
    expect(router.partitions).to.equal(partitions);
  });

  it('refuses ranges that leave a slot without a partition', () => {
    expect(() => new LocalRouter(partitions, slots.slice(0, 3))).to.throw(
      'slot 12183 belongs to no partition',
    );
    expect(() => new LocalRouter(partitions.slice(0, 2), slots)).to.throw('slot 0');
  });

  it('with one partition gives it every key', () => {
    const router = new LocalRouter([partition(0)], [[0, 16383, 0]]);
    expect(idOf(router, 'foo')).to.equal(0);
  });
});
