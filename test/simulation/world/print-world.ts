import { digestOfWorld } from './world-digest.ts';

process.stdout.write(`${await digestOfWorld(Number(process.argv[2]))}\n`);
