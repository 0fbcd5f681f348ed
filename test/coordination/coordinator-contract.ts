import { expect } from 'chai';
import type {
  CoordinatorFactory,
  CoordinatorSession,
  Outcome,
  SessionState,
} from '../../src/coordination/coordinator.ts';

/** What the contract needs to be told of the coordinator behind the port. */
export interface ContractSubject {
  /** Of an empty tree: nothing but the root. Called before each test. */
  factory(): Promise<CoordinatorFactory>;
}

const WAIT_MS_MAX = 15_000;

export async function until(
  holds: () => boolean | Promise<boolean>,
  what: string | (() => string),
): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX;
  while (!(await holds())) {
    if (performance.now() > deadline)
      throw new Error(`${typeof what === 'string' ? what : what()}: not within ${WAIT_MS_MAX} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export function granted<Value>(outcome: Outcome<Value>): Value {
  if (!outcome.ok) throw new Error(`the coordinator answered ${outcome.failure}`);
  return outcome.value;
}

export const connected = (session: CoordinatorSession): Promise<void> =>
  until(() => session.state === 'connected', 'connected');

/** What every coordinator behind the port must do: the one in memory, and the real one. */
export function describeCoordinator(name: string, subject: ContractSubject): void {
  describe(`the coordinator's port, by ${name}`, () => {
    const sessions: CoordinatorSession[] = [];
    let factory: CoordinatorFactory;

    const open = async (): Promise<CoordinatorSession> => {
      const session = factory.open();
      sessions.push(session);
      await connected(session);
      return session;
    };

    beforeEach(async () => {
      factory = await subject.factory();
    });

    afterEach(async () => {
      await Promise.all(sessions.splice(0).map((session) => session.close()));
    });

    it('what was created is read, with its version', async () => {
      const session = await open();
      expect(granted(await session.create('/a', { x: 'ä' }, { ephemeral: false }))).to.equal(0);
      expect(granted(await session.read('/a'))).to.deep.equal({
        data: { x: 'ä' },
        version: 0,
        isMine: false,
      });
      expect(granted(await session.set('/a', [1], 0))).to.equal(1);
      expect(granted(await session.set('/a', null, -1))).to.equal(2);
      expect(granted(await session.read('/a'))).to.deep.equal({ data: null, version: 2, isMine: false });
      expect(granted(await session.remove('/a', 2))).to.equal(null);
      expect(await session.read('/a')).to.deep.equal({ ok: false, failure: 'noNode' });
    });

    it('every failure has its name', async () => {
      const session = await open();
      await session.create('/a', 1, { ephemeral: false });
      await session.create('/a/b', 1, { ephemeral: false });
      const failed = async (outcome: Promise<Outcome<unknown>>): Promise<string> => {
        const { ok, ...rest } = await outcome;
        return ok || !('failure' in rest) ? 'ok' : rest.failure;
      };
      expect(await failed(session.create('/a', 1, { ephemeral: false }))).to.equal('nodeExists');
      expect(await failed(session.create('/x/y', 1, { ephemeral: false }))).to.equal('noNode');
      expect(await failed(session.set('/a', 2, 7))).to.equal('badVersion');
      expect(await failed(session.set('/x', 2, -1))).to.equal('noNode');
      expect(await failed(session.remove('/a', 5))).to.equal('badVersion');
      expect(await failed(session.remove('/a', 0))).to.equal('notEmpty');
      expect(await failed(session.remove('/x', -1))).to.equal('noNode');
      expect(await failed(session.read('/x'))).to.equal('noNode');
      expect(await failed(session.list('/x'))).to.equal('noNode');
    });

    it('version 0 is a version, in every write (H4)', async () => {
      const session = await open();
      await session.create('/a', 1, { ephemeral: false });
      await session.set('/a', 2, 0);
      const stale = { ok: false, failure: 'badVersion' };
      expect(await session.set('/a', 3, 0)).to.deep.equal(stale);
      expect(await session.remove('/a', 0)).to.deep.equal(stale);
      expect(await session.multi([{ kind: 'check', path: '/a', version: 0 }])).to.deep.equal(stale);
      expect(await session.multi([{ kind: 'set', path: '/a', data: 3, version: 0 }])).to.deep.equal(stale);
      expect(await session.multi([{ kind: 'delete', path: '/a', version: 0 }])).to.deep.equal(stale);
      expect(granted(await session.read('/a'))).to.deep.include({ data: 2, version: 1 });
    });

    it('children are listed sorted, those of the root too', async () => {
      const session = await open();
      for (const path of ['/b', '/a', '/a/10', '/a/9', '/a/9/x'])
        granted(await session.create(path, 1, { ephemeral: false }));
      expect(granted(await session.list('/'))).to.deep.equal(['a', 'b']);
      expect(granted(await session.list('/a'))).to.deep.equal(['10', '9']);
      expect(granted(await session.list('/b'))).to.deep.equal([]);
    });

    it('a multi happens whole, and tells the version of each node it wrote', async () => {
      const session = await open();
      await session.create('/a', 1, { ephemeral: false });
      await session.set('/a', 2, 0);
      const versions = await session.multi([
        { kind: 'check', path: '/a', version: 1 },
        { kind: 'create', path: '/b', data: 'b', ephemeral: false },
        { kind: 'set', path: '/a', data: 3, version: 1 },
        { kind: 'set', path: '/b', data: 'c', version: -1 },
        { kind: 'create', path: '/c', data: 'c', ephemeral: true },
        { kind: 'delete', path: '/c', version: 0 },
      ]);
      expect(granted(versions)).to.deep.equal([-1, 0, 2, 1, 0, -1]);
      expect(granted(await session.multi([]))).to.deep.equal([]);
    });

    it('or not at all, and tells the first failure', async () => {
      const session = await open();
      await session.create('/a', 1, { ephemeral: false });
      const outcome = await session.multi([
        { kind: 'create', path: '/b', data: 1, ephemeral: false },
        { kind: 'set', path: '/a', data: 2, version: 9 },
        { kind: 'delete', path: '/nowhere', version: -1 },
      ]);
      expect(outcome).to.deep.equal({ ok: false, failure: 'badVersion' });
      expect(granted(await session.list('/'))).to.deep.equal(['a']);
      expect(granted(await session.read('/a'))).to.deep.include({ data: 1, version: 0 });
    });

    it('an ephemeral node is its session’s, and goes with its close', async () => {
      const [one, two] = [await open(), await open()];
      granted(await one.create('/e', 1, { ephemeral: true }));
      expect(granted(await one.read('/e')).isMine).to.equal(true);
      await two.barrier();
      expect(granted(await two.read('/e')).isMine).to.equal(false);
      const states: SessionState[] = [];
      one.onState((state) => states.push(state));
      await one.close();
      await until(async () => (await two.read('/e')).ok === false, 'the node goes');
      expect(one.state).to.equal('lost');
      await until(() => states.at(-1) === 'lost', 'told of its end');
    });

    it('a session that is over refuses everything, and is closed again without harm', async () => {
      const session = await open();
      await session.close();
      await session.close();
      const lost = { ok: false, failure: 'sessionLost' };
      expect(await session.read('/')).to.deep.equal(lost);
      expect(await session.list('/')).to.deep.equal(lost);
      expect(await session.create('/a', 1, { ephemeral: false })).to.deep.equal(lost);
      expect(await session.barrier()).to.deep.equal(lost);
    });

    it('a read behind a barrier sees what others have done', async () => {
      const [one, two] = [await open(), await open()];
      await one.create('/a', 0, { ephemeral: false });
      for (let round = 1; round <= 20; round += 1) {
        granted(await one.set('/a', round, -1));
        granted(await two.barrier());
        expect(granted(await two.read('/a')).data).to.equal(round);
      }
    });

    it('an observer of a node is called at first and after every kind of change', async () => {
      const [one, two] = [await open(), await open()];
      let seen: unknown = 'nothing yet';
      const stop = one.observe('/a', 'node', () => {
        void one.read('/a').then((read) => {
          seen = read.ok ? read.value.data : read.failure;
        });
      });
      await until(() => seen === 'noNode', 'called at first');
      await two.create('/a', 1, { ephemeral: false });
      await until(() => seen === 1, 'created');
      await two.set('/a', 2, -1);
      await until(() => seen === 2, 'changed');
      await two.remove('/a', -1);
      await until(() => seen === 'noNode', 'removed');
      stop();
      await two.create('/a', 3, { ephemeral: false });
      await one.barrier();
      expect(seen).to.equal('noNode');
    });

    it('an observer of children is called when one comes or goes', async () => {
      const [one, two] = [await open(), await open()];
      let seen = 'nothing yet';
      await two.create('/p', 1, { ephemeral: false });
      one.observe('/p', 'children', () => {
        void one.list('/p').then((names) => {
          seen = names.ok ? names.value.join() : names.failure;
        });
      });
      await until(() => seen === '', 'called at first');
      await two.create('/p/a', 1, { ephemeral: false });
      await until(() => seen === 'a', 'one child');
      await two.multi([
        { kind: 'create', path: '/p/b', data: 1, ephemeral: true },
        { kind: 'delete', path: '/p/a', version: -1 },
      ]);
      await until(() => seen === 'b', 'another one');
      await two.close();
      await until(() => seen === '', 'none, with the session of its owner');
    });

    it('no observer is called by what nobody observes', async () => {
      const [one, two] = [await open(), await open()];
      let calls = 0;
      await two.create('/a', 1, { ephemeral: false });
      one.observe('/a', 'node', () => {
        calls += 1;
      });
      await until(() => calls === 1, 'called at first');
      await two.create('/b', 1, { ephemeral: false });
      await two.create('/a/x', 1, { ephemeral: false });
      await one.barrier();
      expect(calls).to.equal(1);
    });
  });
}
