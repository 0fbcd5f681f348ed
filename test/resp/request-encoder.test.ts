import { expect } from 'chai';
import { encodeRequest, encodeRequests } from '../../src/resp/request-encoder.ts';

describe('encodeRequest', () => {
  it('counts bytes, not characters', () => {
    expect(encodeRequest(['SET', 'ä', Buffer.from([0, 13, 10])]).toString('latin1')).to.equal(
      '*3\r\n$3\r\nSET\r\n$2\r\nÃ¤\r\n$3\r\n\0\r\n\r\n',
    );
  });

  it('makes one pipeline of several commands', () => {
    expect(encodeRequests([['PING'], []]).toString()).to.equal('*1\r\n$4\r\nPING\r\n*0\r\n');
  });
});
