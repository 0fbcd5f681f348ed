import { SimulatedWorld } from './simulated-world.ts';
import type { World, WorldOptions } from './world.ts';

/** A world in which nothing has happened yet: `start` it, and `end` it when done. */
export const openWorld = (options: Partial<WorldOptions>): World => new SimulatedWorld(options);
