/** A node in a process of its own: takes what others send, until it is killed. Says its port. */
import { RpcNode } from './rpc-nodes.ts';

const node = await RpcNode.start(Number(process.argv[2]), { port: Number(process.argv[3] ?? '0') });
process.stdout.write(`${node.port}\n`);
process.stdin.resume();
