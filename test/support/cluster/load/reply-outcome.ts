import type { Reply } from '../../../../src/resp/reply.ts';
import { type Action, type Outcome, Replies } from '../../../simulation/checkers/history.ts';
import type { Command } from '../../pipelined-client.ts';

/**
 * What became of one attempt. `inDoubt`: the server says that it cannot know. `cut`: the connection ended, or nothing
 * came in time. `redirected`: refused, with the word who leads. `defect`: an answer that no client may ever get.
 */
export type Ending = 'done' | 'refused' | 'redirected' | 'inDoubt' | 'cut' | 'defect';

export interface Attempted {
  readonly ending: Ending;
  readonly outcome: Outcome;
}

const REFUSALS: readonly string[] = ['NOREPLICAS', 'CLUSTERDOWN', 'TRYAGAIN', 'LOADING'];
const TYPE_ERROR = 'ERR value is not an integer or out of range';

/** Null: no reply came. */
export function attempted(action: Action, reply: Reply | null): Attempted {
  if (reply === null) return { ending: 'cut', outcome: { kind: 'unknown', reason: 'no reply' } };
  if (reply.kind !== 'error') return done(replyText(action, reply));
  const { text } = reply;
  if (text === TYPE_ERROR) return done(Replies.typeError);
  const prefix = text.split(' ', 1)[0] ?? '';
  if (prefix === 'MOVED') return { ending: 'redirected', outcome: { kind: 'refused', reason: text } };
  if (REFUSALS.includes(prefix)) return { ending: 'refused', outcome: { kind: 'refused', reason: text } };
  const outcome: Outcome = { kind: 'unknown', reason: text };
  return { ending: prefix === 'INDOUBT' ? 'inDoubt' : 'defect', outcome };
}

const done = (reply: string): Attempted => ({ ending: 'done', outcome: { kind: 'done', reply } });

/** In the words of the checker. */
function replyText(action: Action, reply: Reply): string {
  switch (reply.kind) {
    case 'simple':
      return reply.text;
    case 'integer':
      return Replies.integer(Number(reply.value));
    case 'bulk':
      return Replies.value(reply.bytes.toString());
    case 'nil':
      return Replies.nil;
    default:
      throw new Error(`${action.kind}: a reply that is none of its own: ${JSON.stringify(reply)}`);
  }
}

/** What goes over the wire for actions of one key. */
export function commandOf(action: Action): Command {
  switch (action.kind) {
    case 'get':
      return ['GET', action.key];
    case 'set':
      return ['SET', action.key, action.value];
    case 'setIfAbsent':
      return ['SET', action.key, action.value, 'NX'];
    case 'increment':
      return ['INCR', action.key];
    case 'delete':
      return ['DEL', action.key];
    default:
      throw new Error(`${action.kind} is no action of this load`);
  }
}
