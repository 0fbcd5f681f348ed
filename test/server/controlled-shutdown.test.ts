import { expect } from 'chai';
import type { ShutdownReply } from '../../src/model/control-messages.ts';
import { asControllerEpoch, asIncarnation } from '../../src/model/numbers.ts';
import { ControlledShutdown } from '../../src/server/controlled-shutdown.ts';
import { SimulatedClock } from '../support/simulated-clock.ts';

const TIMES = { retryMs: 100, shutdownMsMax: 1000 };

const reply = (remaining: number): ShutdownReply => ({
  kind: 'shutdownReply',
  incarnation: asIncarnation(1),
  controllerEpoch: asControllerEpoch(1),
  remaining,
});

describe('a controlled shutdown (PROTOCOL 2.7)', () => {
  let clock: SimulatedClock;
  let requests: number;
  let shutdown: ControlledShutdown;

  beforeEach(() => {
    clock = new SimulatedClock();
    requests = 0;
    shutdown = new ControlledShutdown(TIMES, clock, () => {
      requests += 1;
    });
  });

  it('asks again until the node leads nothing any more', async () => {
    expect(requests).to.equal(1);
    shutdown.answered(reply(2));
    await clock.advance(250);
    expect(requests).to.equal(3);
    shutdown.answered(reply(0));
    expect(await clock.until(shutdown.done)).to.equal(0);
    await clock.advance(2000);
    expect(requests).to.equal(3);
    expect(clock.timerCount).to.equal(0);
  });

  it('gives up when the time is over, and says what is left', async () => {
    shutdown.answered(reply(1));
    await clock.advance(1500);
    expect(await clock.until(shutdown.done)).to.equal(1);
    expect(clock.timerCount).to.equal(0);
  });

  it('says so when nobody ever answered', async () => {
    await clock.advance(1500);
    expect(await clock.until(shutdown.done)).to.equal(-1);
  });
});
