import { LoadClient, type Routes } from './load-client.ts';
import { LoadMeter } from './load-meter.ts';
import { KeyNumbers, type Workload } from './workload.ts';

export interface LoadOptions {
  readonly connections: number;
  /** Size of the key space. */
  readonly keys: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export interface LoadResult {
  /** Commands answered a second; WAITs are not counted. */
  readonly rate: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly operations: number;
  /** Processor time a command, in us: of the client program, and of all processes of the peer. */
  readonly clientCpuMicros: number;
  readonly serverCpuMicros: number;
}

const DRAIN_MS_MAX = 10_000;
const POLL_MS = 20;

/** What a load is made of, whatever protocol it speaks. */
export interface RunningLoad {
  start(): void;
  readonly isIdle: boolean;
  close(): void;
}

/**
 * Runs a load: warm-up, measurement, and the wait for what is in flight then. Rejects when any answer was not the expected
 * one. `serverCpuSeconds` is asked at the begin and at the end of the measurement.
 */
export async function measureLoad(
  load: RunningLoad,
  meter: LoadMeter,
  options: LoadOptions,
  serverCpuSeconds: () => number,
): Promise<LoadResult> {
  try {
    load.start();
    await sleepUnlessFailed(options.warmUpMs, meter);
    const serverBefore = serverCpuSeconds();
    const clientBefore = process.cpuUsage();
    const beganMs = performance.now();
    meter.measure();
    await sleepUnlessFailed(options.measureMs, meter);
    meter.stop();
    const elapsedMs = performance.now() - beganMs;
    const client = process.cpuUsage(clientBefore);
    const serverSeconds = serverCpuSeconds() - serverBefore;
    await drain(load, meter);
    const operations = meter.latencies.count;
    return {
      rate: (operations / elapsedMs) * 1000,
      p50Ms: meter.latencies.percentile(0.5),
      p99Ms: meter.latencies.percentile(0.99),
      operations,
      clientCpuMicros: (client.user + client.system) / operations,
      serverCpuMicros: (serverSeconds * 1e6) / operations,
    };
  } finally {
    load.close();
  }
}

/** A load over RESP. */
export async function runLoad(
  workload: Workload,
  routes: Routes,
  options: LoadOptions,
  serverCpuSeconds: () => number,
): Promise<LoadResult> {
  const meter = new LoadMeter();
  const opening: Promise<LoadClient>[] = [];
  for (let connection = 0; connection < options.connections; connection += 1) {
    const keys = new KeyNumbers(options.keys, connection + 1);
    opening.push(LoadClient.open(workload, routes, keys, meter));
  }
  const clients = await Promise.all(opening);
  const load: RunningLoad = {
    start: () => {
      for (const client of clients) client.packetRead();
    },
    get isIdle() {
      return clients.every((client) => client.isIdle);
    },
    close: () => {
      for (const client of clients) client.close();
    },
  };
  return await measureLoad(load, meter, options, serverCpuSeconds);
}

async function sleepUnlessFailed(durationMs: number, meter: LoadMeter): Promise<void> {
  const endMs = performance.now() + durationMs;
  for (let leftMs = durationMs; leftMs > 0 && meter.failure === null; leftMs = endMs - performance.now())
    await sleep(Math.min(leftMs, 100));
  if (meter.failure !== null) throw new Error(meter.failure);
}

async function drain(load: RunningLoad, meter: LoadMeter): Promise<void> {
  const deadlineMs = performance.now() + DRAIN_MS_MAX;
  while (!load.isIdle && meter.failure === null) {
    if (performance.now() > deadlineMs) throw new Error(`no answer within ${DRAIN_MS_MAX} ms`);
    await sleep(POLL_MS);
  }
  if (meter.failure !== null) throw new Error(meter.failure);
}

function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
