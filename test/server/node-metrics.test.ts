import { expect } from 'chai';
import { CommandCounters, type ServerStats } from '../../src/commands/ports.ts';
import { PrometheusMetrics } from '../../src/env/metrics.ts';
import { ConnectionRegistry } from '../../src/network/connection-registry.ts';
import { registerNodeMetrics } from '../../src/server/node-metrics.ts';
import { NodeClient } from '../support/node-client.ts';
import { NodeMachine } from '../support/node-machine.ts';

const STATS = {
  memory: () => ({ rssBytes: 4096, heapUsedBytes: 1, externalBytes: 1, rssPeakBytes: 1 }),
  loopLagMs: () => 250,
} as unknown as ServerStats;

describe('the metrics of a node', () => {
  it('are read from the node at each scrape', async () => {
    const machine = new NodeMachine();
    const node = await machine.open();
    const client = new NodeClient(machine, node);
    const metrics = new PrometheusMetrics();
    const counters = new CommandCounters();
    const registry = new ConnectionRegistry(10);
    registerNodeMetrics(metrics, { router: node.router, store: node, registry, counters, stats: STATS });
    const before = await metrics.text();
    expect(before).to.match(/^caskade_partition_keys\{partition="0"\} 0$/m);
    expect(before).to.match(/^caskade_partition_leader_epoch\{partition="0"\} 1$/m);
    await client.set('k', 'v');
    counters.commandsProcessed = 7;
    const after = await metrics.text();
    expect(after).to.match(/^caskade_partition_keys\{partition="0"\} 1$/m);
    expect(after).to.match(/^caskade_partition_high_watermark\{partition="0"\} 1$/m);
    expect(after).to.match(/^caskade_flushes_total\{partition="0"\} 1$/m);
    expect(after).to.match(/^caskade_commands_processed_total 7$/m);
    expect(after).to.match(/^caskade_partition_lease_remaining_seconds\{partition="0"\} \+?Inf/m);
    expect(after).to.match(/^caskade_reads_refused_total\{partition="0"\} 0$/m);
    expect(after).to.match(/^caskade_rotten_records_total 0$/m);
    expect(after).to.match(/^caskade_memory_resident_bytes 4096$/m);
    expect(after).to.match(/^caskade_event_loop_lag_seconds 0\.25$/m);
  });
});
