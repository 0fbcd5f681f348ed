/**
 * Stands in for `caskade server` where the launcher is tested. The word after the program says what it does: `serves`,
 * `refuses` (ends with 3), `leaderless` (cluster_state:fail for a moment, then ok), `lonely` (one copy in sync for a
 * moment, then two), `stubborn` (ends one second after SIGTERM, and then only). Answers PING, CLUSTER INFO and INFO
 * partitions on --resp.port and --resp.clusterPort.
 */
import { createServer, type Socket } from 'node:net';

const MOMENT_MS = 300;
const [behaviour = '', ...words] = process.argv.slice(2);

function portOf(key: string): number {
  return Number(words.find((word) => word.startsWith(`--${key}=`))?.split('=')[1]);
}

function clusterInfo(isOver: boolean): string {
  return `cluster_enabled:1\r\ncluster_state:${behaviour !== 'leaderless' || isOver ? 'ok' : 'fail'}\r\n`;
}

function partitionInfo(isOver: boolean): string {
  return `# Partitions\r\npartition0:role=leader,leader=1,isr=${behaviour !== 'lonely' || isOver ? '1/2' : '1'}\r\n`;
}

function serve(socket: Socket, startedMs: number): void {
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    const isOver = performance.now() - startedMs > MOMENT_MS;
    const info = chunk.includes('CLUSTER') ? clusterInfo(isOver) : partitionInfo(isOver);
    socket.write(chunk.includes('INFO') ? `$${info.length}\r\n${info}\r\n` : '+PONG\r\n');
  });
}

if (behaviour === 'refuses') {
  console.error('fake: this configuration is refused');
  process.exit(3);
}
const startedMs = performance.now();
const ports = [portOf('resp.port'), portOf('resp.clusterPort')];
for (const port of ports) createServer((socket) => serve(socket, startedMs)).listen(port, '127.0.0.1');
process.on('SIGTERM', () => {
  if (behaviour !== 'stubborn') process.exit(0);
  setTimeout(() => process.exit(0), 1000);
});
console.log('recovered');
console.log(`ready: fake node on ${ports.join(' and ')}`);
