import { join, relative } from 'node:path';
import type { Config } from '../../src/config/table.ts';
import { NodeFileSystem } from '../../src/env/node-file-system.ts';
import { CaskadeError } from '../../src/model/errors.ts';
import { loadServerConfig, parseServerArguments } from '../../src/server/command-line.ts';
import { type ClusterOptions, DEFAULT_DATA } from './options.ts';

/** One node of the cluster: how it is started, and what that means. */
export interface NodePlan {
  /** `node01`: its prefix in the log and its folder. */
  readonly name: string;
  /** What follows `caskade server`. */
  readonly words: readonly string[];
  /** The effective configuration of those words. */
  readonly config: Config;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Nodes that have a file of their own. */
const FILES = 3;

export function nodeName(id: number): string {
  return `node${String(id).padStart(2, '0')}`;
}

/**
 * What each node is started with: its file of `folder`, and a flag for each thing that is not as it stands there. A node
 * beyond the files takes the first one's, with its own number, folder and ports (7001, 7002, ... as they go on).
 * Throws CaskadeError `configurationInvalid` or ConfigError.
 */
export async function planNodes(
  options: ClusterOptions,
  folder: string,
  environment: Environment,
): Promise<readonly NodePlan[]> {
  const plans: NodePlan[] = [];
  for (let id = 1; id <= options.nodeCount; id += 1)
    plans.push(await planNode(options, folder, environment, id));
  refuseSharedPorts(plans);
  return plans;
}

async function planNode(
  options: ClusterOptions,
  folder: string,
  environment: Environment,
  id: number,
): Promise<NodePlan> {
  const hasFile = id <= FILES;
  const file = join(folder, `server-${nodeName(hasFile ? id : 1)}.yaml`);
  const source = ['--config', shownPath(file)];
  const inFile = await configOf(source, environment);
  const step = hasFile ? 0 : id - 1;
  const words = [...source, ...flagsOf(options, inFile, id, step), ...options.nodeFlags];
  return { name: nodeName(id), words, config: await configOf(words, environment) };
}

function flagsOf(options: ClusterOptions, inFile: Config, id: number, step: number): string[] {
  const flags: string[] = [];
  const differ = (key: string, is: string | number, wanted: string | number): void => {
    if (is !== wanted) flags.push(`--${key}=${wanted}`);
  };
  differ('node.id', inFile.node.id, id);
  if (options.dataDirectory !== null || step > 0)
    differ('data.dir', inFile.data.dir, `${options.dataDirectory ?? DEFAULT_DATA}/${nodeName(id)}`);
  for (const [key, port] of portsOf(inFile)) {
    // 0 is off, or any free one: not to be shifted.
    if (port !== 0) differ(key, port, port + step + options.portOffset);
  }
  const { chroot, servers } = inFile.zookeeper;
  differ('zookeeper.chroot', chroot, options.chroot ?? chroot);
  differ('zookeeper.servers', servers.join(','), (options.zooKeeperServers ?? servers).join(','));
  return flags;
}

/** The listeners of a node, those that are off too. */
export function portsOf({ resp, rpc, metrics }: Config): readonly (readonly [key: string, port: number])[] {
  return [
    ['resp.port', resp.port],
    ['resp.clusterPort', resp.clusterPort],
    ['rpc.port', rpc.port],
    ['metrics.port', metrics.port],
  ];
}

/** As the node itself will read it. CASKADE_CONFIG would name one file for all. */
async function configOf(words: readonly string[], environment: Environment): Promise<Config> {
  const silent = { out: () => undefined, error: () => undefined };
  const commandLine = parseServerArguments(words, environment, silent);
  if (commandLine === null) throw new CaskadeError('usage', `${words.join(' ')} are no flags of a node`);
  const { config } = await loadServerConfig(commandLine, environment, new NodeFileSystem());
  return config;
}

/** A variable such as CASKADE_RESP__PORT counts for all nodes: better said here than as a taken port. */
function refuseSharedPorts(plans: readonly NodePlan[]): void {
  const owners = new Map<number, string>();
  for (const { name, config } of plans) {
    for (const [key, port] of portsOf(config)) {
      const other = owners.get(port);
      if (port !== 0 && other !== undefined)
        throw new CaskadeError('configurationInvalid', `${key} of ${name} is ${port}, as is ${other}`);
      owners.set(port, `${key} of ${name}`);
    }
  }
}

/** As a person would type it here. */
function shownPath(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith('..') ? path : fromHere;
}
