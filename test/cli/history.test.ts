import { expect } from 'chai';
import { HistoryFile, historyPath, holdsSecret } from '../../src/cli/history.ts';

describe('history', () => {
  it('lines with secrets are known, quoted, repeated or unbalanced as they may be', () => {
    const secrets = [
      'auth x',
      'AUTH user pass',
      '  auth x',
      '"auth" x',
      'auth "x',
      '2 auth x',
      'acl setuser bob >pass',
      'config set requirepass x',
      'CONFIG SET maxclients 5 masterauth x',
      'hello 3 AUTH default x',
      'migrate h 1 "" 0 10 AUTH2 u p KEYS a',
    ];
    for (const line of secrets) expect(holdsSecret(line), line).to.equal(true);
    for (const line of ['set auth x', 'get auth', 'hello 3', 'acl whoami', 'config get requirepass', '']) {
      expect(holdsSecret(line), line).to.equal(false);
    }
  });

  it('the file is CASKADE_HISTFILE, none when that is empty, else one in the home directory', () => {
    expect(historyPath({ CASKADE_HISTFILE: '/a/b' }, '/nowhere')).to.equal('/a/b');
    expect(historyPath({ CASKADE_HISTFILE: '' }, '/nowhere')).to.equal(undefined);
    expect(historyPath({}, '/nowhere')).to.equal('/nowhere/.caskade_history');
  });

  it('a file that cannot be written is named and stops nothing', () => {
    const history = new HistoryFile('/nonexistent/history');
    history.add('get a');
    history.add('get a');
    history.add('get b');
    expect(history.lines).to.deep.equal(['get b', 'get a']);
    expect(history.failure).to.contain('/nonexistent/history');
  });
});
