import { expect } from 'chai';
import { NodeFileSystem } from '../../src/env/node-file-system.ts';
import { CaskadeError } from '../../src/model/errors.ts';

describe('a data directory where none can be made', () => {
  it('is an error at once, also under /proc', async () => {
    const error = await new NodeFileSystem()
      .makeDirectory('/proc/caskade/data')
      .catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(CaskadeError);
    expect((error as CaskadeError).message).to.contain('/proc/caskade');
    expect((error as CaskadeError).row.exitCode).to.equal(5);
  });
});
