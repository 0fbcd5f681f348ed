import { EtcdServers } from '../peers/etcd.ts';
import { runEtcdLoad } from './load/etcd-load.ts';

const o = { connections: 50, keys: 1000000, warmUpMs: 1000, measureMs: 3000 };
const etcd = await EtcdServers.start();
try {
  for (const addresses of [etcd.addresses.slice(0, 1), etcd.addresses])
    for (const connections of [50, 200, 500, 1000])
      console.log(
        connections,
        addresses.length,
        await runEtcdLoad(addresses, { ...o, connections }, () => etcd.cpuSeconds()),
      );
} finally {
  await etcd.stop();
}
