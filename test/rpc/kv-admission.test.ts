import { expect } from 'chai';
import { LIMITS } from '../../src/model/limits.ts';
import { KeyValueAdmission } from '../../src/rpc/kv-admission.ts';

describe('KeyValueAdmission', () => {
  it('bounds the calls that are under way', () => {
    const admission = new KeyValueAdmission();
    for (let call = 0; call < LIMITS.keyValueCallsMax; call += 1) admission.enter(1);
    expect(() => admission.enter(1))
      .to.throw('Too many')
      .with.property('code', 'overloaded');
    admission.leave(1);
    admission.enter(1);
  });

  it('bounds their bytes, and lets a larger one through when it is alone', () => {
    const admission = new KeyValueAdmission();
    admission.enter(LIMITS.keyValueBytesMax + 1);
    expect(() => admission.enter(1)).to.throw('Too many');
    admission.leave(LIMITS.keyValueBytesMax + 1);
    admission.enter(LIMITS.keyValueBytesMax);
    expect(() => admission.enter(1)).to.throw('Too many');
  });

  it('closed, it admits nothing', () => {
    const admission = new KeyValueAdmission();
    admission.close();
    expect(() => admission.enter(1))
      .to.throw('shutting down')
      .with.property('code', 'shuttingDown');
  });
});
