import { NumberedCommands } from '../../../src/replication/producers/numbered-commands.ts';
import { type ProducerLookup, ProducerTable } from '../../../src/replication/producers/producer-table.ts';
import { RecordKind } from '../../../src/storage/format/record.ts';
import { PartitionStore } from '../../../src/storage/partition-store.ts';
import { type Mutation, mutation, replaced } from './mutation.ts';

const EXECUTE: ProducerLookup = { result: 'new' };

/** Answers `instead` of what the table says, if that is a `result`. */
function insteadOf(result: ProducerLookup['result'], instead: ProducerLookup): () => () => void {
  return () =>
    replaced(
      ProducerTable.prototype,
      'lookup',
      (original) =>
        function lookup(this: ProducerTable, command, isRetry) {
          const found = original.call(this, command, isRetry);
          return found.result === result ? instead : found;
        },
    );
}

/** Numbered commands: what a partition remembers of its producers follows its log, and goes wherever the log goes. */
export const PRODUCER_MUTATIONS: readonly Mutation[] = [
  mutation('producers are not truncated at step-down', 'R13', {
    install: () =>
      replaced(PartitionStore.prototype, 'endEpoch', (original) => {
        return function endEpoch(this: PartitionStore) {
          const restore = replaced(this.producers, 'truncateTo', () => () => undefined);
          try {
            return original.call(this);
          } finally {
            restore();
          }
        };
      }),
  }),
  mutation('a retry of what is not committed is answered at once', 'R13', {
    install: () => {
      const outcomes = new Map<string, Uint8Array>();
      const nameOf = (command: object): string => JSON.stringify({ ...command, isRetry: false });
      const restoreEnd = replaced(
        NumberedCommands.prototype,
        'begin',
        (original) =>
          function begin(this: NumberedCommands, command, outcome) {
            if (outcome !== undefined) outcomes.set(nameOf(command), outcome);
            original.call(this, command, outcome);
          },
      );
      const restoreAdmit = replaced(
        NumberedCommands.prototype,
        'admit',
        (original) =>
          function admit(this: NumberedCommands, command) {
            const admission = original.call(this, command);
            const outcome = outcomes.get(nameOf(command));
            if (admission.verdict !== 'join' || outcome === undefined) return admission;
            return { verdict: 'answer', offset: admission.offset, outcome };
          },
      );
      return () => {
        restoreAdmit();
        restoreEnd();
      };
    },
  }),
  mutation('a retry of what is not committed is executed', 'R13', {
    install: insteadOf('pending', EXECUTE),
  }),
  mutation('producers are not carried in a merge', 'R14, C13', {
    install: () =>
      replaced(
        ProducerTable.prototype,
        'snapshotParts',
        (original) =>
          function* snapshotParts(this: ProducerTable) {
            const [header] = original.call(this);
            if (header !== undefined) yield header;
          },
      ),
  }),
  mutation('producers are lost in a resync', 'R14', {
    install: () =>
      replaced(
        ProducerTable.prototype,
        'recordAppended',
        (original) =>
          function recordAppended(this: ProducerTable, offset, bytes, at, view) {
            if (view.kind !== RecordKind.producerSnapshot) original.call(this, offset, bytes, at, view);
          },
      ),
  }),
  mutation('what is below the window is executed again', 'R14', {
    install: insteadOf('below', EXECUTE),
  }),
  mutation('a gap of a forwarder is executed', 'R14', {
    install: insteadOf('gap', EXECUTE),
  }),
];
