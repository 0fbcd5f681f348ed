import { expect } from 'chai';
import type { CaskadeError } from '../../src/model/errors.ts';
import type { Offset } from '../../src/model/numbers.ts';
import type { CommitListener, LeaderPartition } from '../../src/replication/leader-partition.ts';
import { StoreMachine } from '../support/store-fixture.ts';

/** What the writer of one offset is told. */
class Told implements CommitListener {
  text = 'nothing';
  readonly #offset: Offset;

  constructor(offset: Offset) {
    this.#offset = offset;
  }

  committed(partition: LeaderPartition): void {
    if (this.text === 'nothing' && partition.highWatermark > this.#offset) this.text = 'done';
  }

  inDoubt(_partition: LeaderPartition, firstOffset: Offset, error: CaskadeError): void {
    if (this.text === 'nothing' && firstOffset <= this.#offset) this.text = error.code;
  }
}

/** More than a flush takes. */
const FLUSH_MS_MAX = 40;

/** A batch that the running flush had taken, and not yet sealed, was refused by the close, and written after it. */
describe('a node alone that is closed while a flush runs', () => {
  it('has written nothing that it refused (R22)', async () => {
    const seen = new Set<string>();
    for (let afterMs = 0; afterMs < FLUSH_MS_MAX; afterMs += 1) {
      const machine = new StoreMachine();
      const led = await machine.openPartition();
      led.put('before', 'v'.repeat(12_000));
      await machine.clock.settle();
      // A new segment has to be begun for it, which takes its time.
      machine.disk.slow({ syncMs: 5 });
      const told = new Told(led.put('k', 'v'.repeat(9_000)));
      led.partition.listen(told);
      await machine.clock.advance(afterMs);
      const closed = led.role.close();
      await machine.clock.advance(500);
      await closed;
      machine.disk.slow({ syncMs: 0 });
      const again = await machine.openPartition();
      const found = await again.get('k');
      seen.add(told.text);
      if (told.text !== 'done') expect([afterMs, found, told.text]).to.deep.equal([afterMs, null, told.text]);
      await again.close();
    }
    expect([...seen], 'what was told').to.include('done');
  });
});
