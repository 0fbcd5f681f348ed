import { AssertionError, expect } from 'chai';
import { SeededRandom } from '../../support/seeded-random.ts';
import type { Action } from '../checkers/history.ts';
import { putInForce } from '../mutations/mutation.ts';
import { mutationNamed } from '../mutations/mutations.ts';
import { LEASE_PATTERNS } from '../runner/lease-patterns.ts';
import type { PatternScene } from '../runner/pattern-scene.ts';
import type { WorldOptions } from '../world/world.ts';
import { WORLD_TIMING } from '../world/world-settings.ts';
import { ClusterScript } from './cluster-script.ts';

type PatternName = keyof typeof LEASE_PATTERNS;

interface Play {
  readonly pattern: PatternName;
  readonly seed: number;
  readonly options?: Partial<WorldOptions>;
  readonly mutation: string | null;
  /** `old`: nobody knows of a new leader before the old one refuses. */
  readonly writesTo: 'old' | 'both';
}

const PATTERN_MS_MAX = 20_000;
const KEYS = ['A', 'B', 'C'];

/** Asks every node, and whoever did not answer for what contradicts the answer. */
function lookAround(script: ClusterScript, key: string, value: string | null): void {
  let isAnswered = value === null;
  for (const { id } of script.world.nodes) {
    script.begin({ kind: 'get', key }, id, (text) => {
      if (isAnswered || /^(refused|unknown)/.test(text)) return;
      isAnswered = true;
      if (value === null) return;
      const action: Action = text.startsWith('=')
        ? { kind: 'compareAndSet', key, expected: text.slice(1), value }
        : { kind: 'setIfAbsent', key, value };
      for (const other of script.others(id)) script.begin(action, other);
    });
  }
}

/** Looks around, and writes where a client thinks that the leader is, as long as the pattern is played. */
function ask(
  script: ClusterScript,
  random: SeededRandom,
  writesTo: Play['writesTo'],
  isOver: () => boolean,
): void {
  const { world } = script;
  let believed = script.leader;
  let count = 0;
  const next = (): void => {
    if (isOver()) return;
    count += 1;
    const key = random.pick(KEYS);
    lookAround(script, key, writesTo === 'old' ? null : `w${count}`);
    const { leader } = script.state;
    const to = writesTo === 'both' && random.chance(0.2) ? (leader ?? believed) : believed;
    script.begin({ kind: 'set', key, value: `v${count}`, dueMs: 0 }, to, (text) => {
      if (/^(refused|unknown)/.test(text)) believed = script.state.leader ?? believed;
    });
    world.after(random.fraction() * 40, next);
  };
  next();
}

/** Resolves to whether the pattern came to its point; rejects with what a checker found. */
async function play({ pattern, seed, options, mutation, writesTo }: Play): Promise<boolean> {
  const broken = mutation === null ? null : mutationNamed(mutation);
  const restore = broken === null ? null : putInForce(broken);
  let isWhole = false;
  try {
    await ClusterScript.play(
      { seed, ...options, ...(broken === null ? {} : { rules: broken.rules }) },
      async (script) => {
        const random = new SeededRandom(seed);
        const { world, state, leader } = script;
        const follower = random.pick(script.followers);
        const scene: PatternScene = {
          world,
          random,
          state,
          leader,
          follower,
          coordinatorMayForget: false,
          isOn: () => true,
        };
        let isOver = false;
        ask(script, random, writesTo, () => isOver);
        await script.run(100);
        void LEASE_PATTERNS[pattern](scene).then((value) => {
          isWhole = value;
          isOver = true;
        });
        await script.until('the pattern is over', () => isOver, PATTERN_MS_MAX);
        await script.run(1_500);
      },
    );
    return isWhole;
  } finally {
    restore?.();
  }
}

const TO_NO_HARM = ['well', 'not to the point'];

const outcomeOf = (played: Promise<boolean>): Promise<string> =>
  played.then(
    (isWhole) => (isWhole ? 'well' : 'not to the point'),
    (error: unknown) => (error instanceof AssertionError ? JSON.stringify(error) : String(error)),
  );

interface Shown extends Pick<Play, 'pattern' | 'options'>, Partial<Pick<Play, 'writesTo'>> {
  /** The controller may be where the pattern cannot have it: then the next is played. */
  readonly firstSeed: number;
  readonly mutation: string;
  readonly checker: string;
}

const SHOWN: readonly Shown[] = [
  {
    pattern: 'joinsToBeElected',
    mutation: 'lease of the ISR without pending members',
    checker: 'two leaders answer',
    firstSeed: 3,
  },
  {
    pattern: 'reignsInWaiting',
    mutation: 'a release clears all promises, whoever sends it',
    checker: 'two leaders answer',
    firstSeed: 1,
    writesTo: 'old',
    options: { timing: { ...WORLD_TIMING, leaseMsMax: 800 } },
  },
  {
    pattern: 'stateComesLate',
    mutation: 'the last state that comes is followed, whatever its epoch',
    checker: 'I1',
    firstSeed: 1,
  },
  {
    pattern: 'movedWithoutAWord',
    mutation: 'version check answers for another version',
    checker: 'linearizability',
    firstSeed: 3,
  },
  {
    pattern: 'movedWithoutAWord',
    mutation: 'read from the overlay',
    checker: 'linearizability',
    firstSeed: 20,
  },
  {
    pattern: 'majorityInACorner',
    mutation: 'read-index by a majority',
    checker: 'linearizability',
    firstSeed: 2,
    options: { nodeCount: 5, replicationFactor: 5 },
  },
];

const SEEDS_MAX = 10;
const STORY_MS_MAX = 120_000;

describe('what a pattern of leases is for is seen when its rule is missed, and nothing when it is not', () => {
  for (const { mutation, checker, firstSeed, writesTo = 'both', ...story } of SHOWN) {
    const scene = { ...story, writesTo };
    it(`${mutationNamed(mutation).ruling}: ${story.pattern}, "${mutation}": ${checker} sees it`, async function story() {
      this.timeout(STORY_MS_MAX);
      const finding = `"checker":"${checker}"`;
      let seen = '';
      let seed = firstSeed - 1;
      do {
        seed += 1;
        seen = await outcomeOf(play({ ...scene, seed, mutation }));
      } while (!seen.includes(finding) && seed < firstSeed + SEEDS_MAX);
      expect(seen).to.contain(finding);
      expect(await outcomeOf(play({ ...scene, seed, mutation: null }))).to.be.oneOf(TO_NO_HARM);
    });
  }
});
/** The key was there when the old leader last heard of it. */
async function askedForWhatIsGone(script: ClusterScript): Promise<void> {
  await script.mustSet('K', 'old');
  const { leader } = script;
  script.isolate(leader);
  script.cutCoordinator(leader);
  script.expireSession(leader);
  await script.untilLedAnew(leader);
  await script.untilDone({ kind: 'delete', key: 'K' });
  await script.ask({ kind: 'setIfAbsent', key: 'K', value: 'new' }, leader);
  script.rejoin(leader);
  script.cutCoordinator(leader, false);
}

describe('a leader that was deposed and does not know it', () => {
  it('says of nothing that it is there, or not, without being confirmed (R3)', () =>
    ClusterScript.play({ seed: 430 }, askedForWhatIsGone));

  it('would be seen by linearizability if it did', async () => {
    const restore = putInForce(mutationNamed('a negative answer is not confirmed'));
    const seen = await outcomeOf(ClusterScript.play({ seed: 430 }, askedForWhatIsGone).then(() => true));
    restore();
    expect(seen).to.contain('"checker":"linearizability"');
  });
});
