import { expect } from 'chai';
import { NodeClient } from '../support/node-client.ts';
import { NodeMachine } from '../support/node-machine.ts';

describe('expiry on time after the wall clock was set forth (R4)', () => {
  it('the sweeper notices within a minute: it slept for as long as the key had left before the step', async () => {
    const machine = new NodeMachine();
    const client = await NodeClient.open(machine);
    await client.set('K', 'v', machine.clock.wallMs() + 3_600_000);
    machine.clock.wallJump(3_600_000);
    await machine.clock.advance(60_000);
    expect(client.keyCount()).to.equal(0);
    expect(client.partition.stats().expiredKeys).to.equal(1);
  });
});
