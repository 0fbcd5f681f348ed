import { cpus, loadavg } from 'node:os';

/** Load of the last minute, for each core, above which others take a part of the machine. */
const QUIET_LOAD_MAX = 0.25;

/** Says so when something else is running: then the figures are leads at best. */
export function warnOfLoad(): void {
  const [lastMinute = 0] = loadavg();
  if (lastMinute <= QUIET_LOAD_MAX * cpus().length) return;
  console.log(
    `CAUTION: the load average is ${lastMinute.toFixed(1)} on ${cpus().length} cores before this run began: ` +
      'not figures to publish.\n',
  );
}
