import { type World, world } from './mutations.ts';

export interface NamedWorld {
  readonly name: string;
  readonly world: World;
}

/** Small enough for every run of the tests: tens of thousands of states each. */
export const SMALL_WORLDS: readonly NamedWorld[] = [
  {
    name: 'a crash, a proposal and an election',
    world: world({ crashes: 1, proposals: 1, epochs: 1 }),
  },
  {
    name: 'a crash and a return, answers that take their time',
    world: world({ crashes: 1, epochs: 2 }, [], false),
  },
  {
    name: 'records of two leaders, a return and a truncation',
    world: world({ appends: 2, crashes: 1, epochs: 2 }),
  },
  {
    name: 'a leader that does not know that it was replaced, and its lease',
    world: world({ expiries: 1, stamps: 1, ticks: 1, epochs: 1 }),
  },
  {
    name: 'the ISR shrinks below min.insync and grows again',
    world: world({ proposals: 3 }),
  },
];

/** What `scripts/explore.ts` looks at: millions of states, minutes each. */
export const LARGE_WORLDS: readonly NamedWorld[] = [
  {
    name: 'a crash, a proposal and an election, answers that take their time',
    world: world({ crashes: 1, proposals: 1, epochs: 1 }, [], false),
  },
  {
    name: 'two crashes, two proposals, three elections',
    world: world({ crashes: 2, proposals: 2, epochs: 3 }),
  },
  {
    name: 'a lossy crash among two, with proposals',
    world: world({ crashes: 2, lossyCrashes: 1, proposals: 1, epochs: 3 }),
  },
  {
    name: 'two records, a zombie leader, proposals',
    world: world({ appends: 2, expiries: 1, proposals: 2, epochs: 2 }),
  },
  {
    name: 'leases over a crash and a zombie leader',
    world: world({ crashes: 1, expiries: 1, stamps: 2, ticks: 2, epochs: 2 }),
  },
  {
    name: 'leases while the ISR changes',
    world: world({ expiries: 1, proposals: 2, stamps: 2, ticks: 1, epochs: 1 }),
  },
  {
    name: 'answers that take their time',
    world: world({ appends: 2, crashes: 1, proposals: 2, epochs: 2 }, [], false),
  },
];
