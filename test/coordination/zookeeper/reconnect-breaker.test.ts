import { expect } from 'chai';
import { ReconnectBreaker } from '../../../src/coordination/zookeeper/reconnect-breaker.ts';

describe('the breaker of reconnects (W3, H7)', () => {
  /** Connects as often as that, each so long after the one before; returns when the last was. */
  const connect = (breaker: ReconnectBreaker, count: number, everyMs: number, fromMs = 0): number => {
    for (let index = 0; index < count; index += 1) breaker.connected(fromMs + index * everyMs);
    return fromMs + (count - 1) * everyMs;
  };

  it('ten in ten seconds are not too many, and eleven are', () => {
    const breaker = new ReconnectBreaker();
    connect(breaker, 10, 100);
    expect(breaker.backoffMs).to.equal(0);
    breaker.connected(1_000);
    expect(breaker.backoffMs).to.equal(1_000);
  });

  it('one each second for ever is not too many', () => {
    const breaker = new ReconnectBreaker();
    connect(breaker, 1_000, 1_000);
    expect(breaker.backoffMs).to.equal(0);
  });

  it('the pause doubles with each connection that does not last, up to ten seconds; then it is hopeless', () => {
    const breaker = new ReconnectBreaker();
    let nowMs = connect(breaker, 11, 10);
    const pauses: number[] = [];
    while (!breaker.isHopeless) {
      pauses.push(breaker.backoffMs);
      nowMs += breaker.backoffMs + 10;
      breaker.connected(nowMs);
    }
    expect(pauses).to.deep.equal([1_000, 2_000, 4_000, 8_000, 10_000]);
  });

  it('a connection that lasted closes it', () => {
    const breaker = new ReconnectBreaker();
    const nowMs = connect(breaker, 11, 10);
    breaker.connected(nowMs + 12_000);
    expect(breaker.backoffMs).to.equal(0);
    connect(breaker, 9, 10, nowMs + 13_000);
    expect(breaker.backoffMs).to.equal(0);
  });
});
