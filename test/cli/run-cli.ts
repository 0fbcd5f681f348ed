import { runCli } from '../../src/cli/main.ts';

/** A process of its own around the client, for tests that need a real terminal. */
process.exitCode = await runCli(process.argv.slice(2));
