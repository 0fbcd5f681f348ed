import type { MultiResult, Operation, Outcome } from '../../src/coordination/coordinator.ts';

/** The single writes of a coordinator's session, each a multi of one part: so that what befalls a multi befalls them too. */
export abstract class SessionByMulti {
  abstract multi(operations: readonly Operation[]): Promise<Outcome<MultiResult>>;

  async create(
    path: string,
    data: unknown,
    options: { readonly ephemeral: boolean },
  ): Promise<Outcome<number>> {
    return first(await this.multi([{ kind: 'create', path, data, ephemeral: options.ephemeral }]));
  }

  async set(path: string, data: unknown, version: number): Promise<Outcome<number>> {
    return first(await this.multi([{ kind: 'set', path, data, version }]));
  }

  async remove(path: string, version: number): Promise<Outcome<null>> {
    const outcome = await this.multi([{ kind: 'delete', path, version }]);
    return outcome.ok ? { ok: true, value: null } : outcome;
  }
}

function first(outcome: Outcome<MultiResult>): Outcome<number> {
  return outcome.ok ? { ok: true, value: outcome.value[0] ?? -1 } : outcome;
}
