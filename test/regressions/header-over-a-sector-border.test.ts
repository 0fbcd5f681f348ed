import { expect } from 'chai';
import { judgeTail } from '../../src/storage/tail-verdict.ts';
import { batchBytes } from '../support/batch-bytes.ts';

const SECTOR_BYTES = 512;

describe('a batch whose header lies over a sector border (R19)', () => {
  it('is torn when only the sectors behind the border were written, wherever the border cuts it', () => {
    for (let before = 1; before < 56; before += 1) {
      const written = batchBytes([{ key: 'k', value: 'v'.repeat(1000) }], 1);
      written.fill(0, 0, before);
      const tail = Buffer.concat([written, Buffer.alloc(2 * SECTOR_BYTES)]);
      const position = 10 * SECTOR_BYTES - before;
      expect(judgeTail(tail, position, 1), `${before} bytes before the border`).to.equal('torn');
    }
  });
});
