import { parseArgs } from 'node:util';
import { formatAddress, parseAddress } from '../../src/config/address.ts';
import { CHROOT } from '../../src/config/chroot.ts';
import { CaskadeError } from '../../src/model/errors.ts';
import { integerOption } from '../processes/run-script.ts';

/** What `make cluster` was asked for. */
export interface ClusterOptions {
  readonly nodeCount: number;
  /** Null here and below: as the nodes' files say. */
  readonly chroot: string | null;
  readonly zooKeeperServers: readonly string[] | null;
  /** Added to every port of every node. */
  readonly portOffset: number;
  /** Where the folders of the nodes lie. */
  readonly dataDirectory: string | null;
  /** For every node, as they stand on the command line. */
  readonly nodeFlags: readonly string[];
}

/** A cluster of fewer could not have the three copies of conf/cluster3. */
export const NODES_MIN = 3;
/** The ports of the eleventh would be those of the first's other listener: 7011. */
export const NODES_MAX = 10;
const PORT_OFFSET_MAX = 58_000;

/** Of the files in conf/cluster3, and where a ZooKeeper that is started here keeps its data. */
export const DEFAULT_DATA = './data';

export const USAGE = `Usage: make cluster [NODES=3] [CHROOT=/caskade] [ARGS="options"]
       node dist/scripts/cluster/main.js [options] [-- flags of 'caskade server' for every node]

Runs a cluster on this machine in the foreground until Ctrl-C: ZooKeeper, unless one answers, and the nodes of
conf/cluster3, further ones by the same numbering. Says one line that begins with 'ready:' when every node serves and
every partition takes writes. Data is kept.

  --nodes N            ${NODES_MIN} to ${NODES_MAX}, default ${NODES_MIN}
  --chroot PATH        where in ZooKeeper the cluster lies, default /caskade
  --zookeeper ADDRS    HOST:PORT[,HOST:PORT...], default 127.0.0.1:2181; one on this machine is started if
                       nobody answers there
  --port-offset N      added to every port of the nodes, for a second cluster beside a first
  --data DIR           where the nodes, and a ZooKeeper started here, keep their data; default ${DEFAULT_DATA}
  -h, --help           this text

Exit codes: 0 stopped by Ctrl-C or SIGTERM; 1 the nodes run, but not every partition takes writes; 2 usage; 3 a
configuration is refused; 4 a port is taken (another cluster, as a rule); 5 a data directory; 6 no ZooKeeper, and none
could be started or installed; 130 a second Ctrl-C. A node that cannot start ends all, with its exit code.
`;

/** Null: help was asked for. Throws CaskadeError `usage`. */
export function parseClusterOptions(argv: readonly string[]): ClusterOptions | null {
  const { flags, nodeFlags } = readFlags(argv);
  if (flags.help) return null;
  return {
    nodeCount: integerOption('nodes', flags.nodes, NODES_MIN, NODES_MAX),
    chroot: flags.chroot === undefined ? null : chrootOption(flags.chroot),
    zooKeeperServers: flags.zookeeper?.split(',').map(addressOption) ?? null,
    portOffset: integerOption('port-offset', flags['port-offset'], 0, PORT_OFFSET_MAX),
    dataDirectory: flags.data ?? null,
    nodeFlags,
  };
}

function readFlags(argv: readonly string[]) {
  const end = argv.indexOf('--');
  const own = end < 0 ? argv : argv.slice(0, end);
  const nodeFlags = end < 0 ? [] : argv.slice(end + 1);
  try {
    const { values } = parseArgs({
      args: [...own],
      options: {
        nodes: { type: 'string', default: String(NODES_MIN) },
        chroot: { type: 'string' },
        zookeeper: { type: 'string' },
        'port-offset': { type: 'string', default: '0' },
        data: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    return { flags: values, nodeFlags };
  } catch (error) {
    throw new CaskadeError('usage', `${(error as Error).message} (--help says more)`);
  }
}

function chrootOption(text: string): string {
  if (CHROOT.pattern.test(text)) return text;
  throw new CaskadeError('usage', `--chroot is '${text}': expected ${CHROOT.allowed}`);
}

function addressOption(text: string): string {
  const address = parseAddress(text.trim());
  if (address !== null && address.port > 0) return formatAddress(address);
  throw new CaskadeError('usage', `--zookeeper names '${text}': expected HOST:PORT`);
}
