import { expect } from 'chai';
import { loadConfig } from '../../src/config/load.ts';
import { PREDECESSOR_KEYS } from '../../src/config/predecessor.ts';
import { CONFIG_ENTRIES } from '../../src/config/table.ts';

const FILE = `
data: { blocksize: 10240, dir: tmp, lruCapacity: 4096 }
net: { dataport: 9999, ctrlport: 9998 }
zk:
  servers: [ "127.0.0.1:2181" ]
  sessionTimeout: 3000
  nodeNotExistBackoff: 50
  nodeNotExistBackoffMax: 500
retry: { backoff: 50, count: 5 }
cluster:
  nodeName: node01
  node2Hostports: { node01: "localhost:9998", node02: "localhost:9988" }
replication:
  isr: { maxCatchUpTime: 500, maxNoFetchTime: 250, maxDelayCount: 20, updateInterval: 1000, minIsrRequired: 1 }
  logFetchInterval: 50
  logDelayerTimeout: 250
commit: { initQueueSize: 1024, requiredAcks: -1, timeout: 1000 }
election: { leaderTimeout: 1000 }
log: { output: stdout }
debug: { pprof: 6060 }
`;

describe('a configuration of the predecessor', () => {
  it('is accepted: every key is mapped, or ignored with one warning that says why', () => {
    const { config, warnings } = loadConfig({ file: { path: 'old.yaml', text: FILE } });
    expect(config.storage.segmentBytesMax).to.equal(10_240);
    expect(config.data.dir).to.equal('tmp');
    expect(config.resp.port).to.equal(9999);
    expect(config.rpc.port).to.equal(9998);
    expect(config.zookeeper).to.deep.include({ servers: ['127.0.0.1:2181'], sessionTimeoutMs: 3000 });
    expect(config.replication).to.include({ lagMsMax: 500, pollMsMax: 250, writeTimeoutMs: 1000 });
    expect(config.cluster.minInsync).to.equal(1);
    expect(warnings).to.have.length(PREDECESSOR_KEYS.length);
    expect(warnings).to.include(
      'old.yaml: data.blocksize is now storage.segmentBytesMax: a segment no longer bounds a record, only a file',
    );
    expect(warnings.filter((warning) => warning.includes('nodeNotExistBackoff is ignored: '))).to.have.length(
      1,
    );
    expect(warnings.filter((warning) => warning.includes('node2Hostports is ignored: '))).to.have.length(1);
  });

  it('maps only to keys that exist, and hides none of ours', () => {
    const known = CONFIG_ENTRIES.map(({ key }) => key);
    for (const { key, becomes } of PREDECESSOR_KEYS) {
      expect(known.map(String)).to.not.include(key);
      if (becomes !== null) expect(known).to.include(becomes);
    }
  });

  it('still has its values checked', () => {
    expect(() => loadConfig({ file: { path: 'old.yaml', text: 'net: { dataport: x }' } })).to.throw(
      'old.yaml:1: resp.port (as net.dataport): "x" is not allowed',
    );
  });
});
