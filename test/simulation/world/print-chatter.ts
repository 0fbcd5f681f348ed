import { digestOfChatter } from './chatter.ts';

process.stdout.write(`${await digestOfChatter(Number(process.argv[2]))}\n`);
