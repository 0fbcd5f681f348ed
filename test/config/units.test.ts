import { expect } from 'chai';
import * as fc from 'fast-check';
import { formatAddress, parseAddress } from '../../src/config/address.ts';
import { formatBytes, formatMilliseconds, parseBytes, parseMilliseconds } from '../../src/config/units.ts';

describe('sizes and durations', () => {
  it('have the units of Redis: kb is 1024 bytes, k is 1000', () => {
    expect(['10', '10b', '1k', '1kb', '2MB', '2m', '1gb', '1 GiB'].map(parseBytes)).to.deep.equal([
      10,
      10,
      1000,
      1024,
      2 * 1024 ** 2,
      2_000_000,
      1024 ** 3,
      1024 ** 3,
    ]);
    expect(['5', '5ms', '2s', '3m', '3min', '1h', '1d'].map(parseMilliseconds)).to.deep.equal([
      5, 5, 2000, 180_000, 180_000, 3_600_000, 86_400_000,
    ]);
  });

  it('refuse what is not one', () => {
    for (const text of [
      '',
      'x',
      '-1',
      '1.5mb',
      '1 x',
      'mb',
      '1mb2',
      '99999999999gb',
      '1e3',
      'constructor',
      '1constructor',
    ]) {
      expect(parseBytes(text), text).to.equal(null);
      expect(parseMilliseconds(text), text).to.equal(null);
    }
  });

  it('are written so that they read back the same', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 2 ** 40 }),
        fc.constantFrom(1, 1024, 1000, 60_000, 2 ** 20),
        (count, unit) => {
          const value = (count % 2 ** 20) * unit;
          expect(parseBytes(formatBytes(value))).to.equal(value);
          expect(parseMilliseconds(formatMilliseconds(value))).to.equal(value);
        },
      ),
    );
    expect(formatBytes(64 * 1024 * 1024)).to.equal('64mb');
    expect(formatMilliseconds(1500)).to.equal('1500ms');
  });
});

describe('an address', () => {
  it('is a host and a port, IPv6 in brackets', () => {
    expect(parseAddress('127.0.0.1:6379')).to.deep.equal({ host: '127.0.0.1', port: 6379 });
    expect(parseAddress('db.example.org:0')).to.deep.equal({ host: 'db.example.org', port: 0 });
    expect(parseAddress('[::1]:6379')).to.deep.equal({ host: '::1', port: 6379 });
    expect(formatAddress({ host: '::1', port: 1 })).to.equal('[::1]:1');
  });

  it('is nothing else', () => {
    for (const text of [
      '',
      ':',
      'a',
      'a:',
      ':1',
      'a:b',
      'a:-1',
      'a:65536',
      '::1:1',
      'a b:1',
      '[]:1',
      '[::1]',
      'a:1:2',
    ]) {
      expect(parseAddress(text), text).to.equal(null);
    }
  });
});
