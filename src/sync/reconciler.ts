import { BerthError } from '../errors.ts';
import type { TwinRecord, TwinStore } from '../store/twin-store.ts';
import type { TwinEvent } from '../twin/event.ts';
import { foldEvent, type Known } from '../twin/fold.ts';
import { redactEvent } from '../twin/redact.ts';
import type { DuePriority } from '../twin/shadow.ts';
import { type TwinId, twinKey } from '../twin/twin.ts';
import { type Outcome, TwinWork, type TwinWorkOptions } from './twin-work.ts';

export type { Outcome } from './twin-work.ts';

export interface ReconcilerOptions extends TwinWorkOptions {
  readonly store: Pick<TwinStore, 'load' | 'save' | 'modulesOf'>;
}

/** How often a twin is decided again because another instance changed its record meanwhile. */
const MAX_CONFLICTS = 8;

/**
 * Brings one twin to where the policies want it: takes its events into the shadow, asks the hub only where
 * the shadow cannot be trusted, and writes the smallest correction. One worker a twin; another instance may
 * work on the same one, which the record's etag sorts out.
 *
 * Hub trouble makes the twin due and is no failure.
 *
 * @throws BerthError `BERTH_STORE_UNAVAILABLE` where the state tables cannot be used: the events must come
 *   again.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  /** @param events of this twin, in their order; none for work that is due. */
  async reconcile(id: TwinId, events: readonly TwinEvent[]): Promise<Outcome> {
    for (let attempt = 0; attempt < MAX_CONFLICTS; attempt += 1) {
      const outcome = await this.#attempt(await this.#options.store.load(id), events);
      if (outcome !== 'conflict') return outcome;
    }
    throw new BerthError(
      'BERTH_STORE_UNAVAILABLE',
      `The record of ${twinKey(id)} is being changed by others all the time.`,
    );
  }

  async #attempt(record: TwinRecord, events: readonly TwinEvent[]): Promise<Outcome | 'conflict'> {
    const { fleet, gate } = this.#options;
    const known = events.reduce<Known>(
      (so, event) => foldEvent(so, redactEvent(event, fleet.twins.redact), fleet.twins.trackedPaths),
      record.known,
    );
    if (known.kind === 'nothing') return 'nothing';
    if (known.kind === 'deleted') return this.#delete(record, known);
    const hub = fleet.hubByHost.get(record.id.host);
    if (hub === undefined) return 'nothing';

    const work = new TwinWork(record, known.shadow, hub, priorityOf(events), this.#options);
    return gate.isOutdated ? work.leaveToNewer() : work.run();
  }

  async #delete(
    record: TwinRecord,
    deleted: Extract<Known, { kind: 'deleted' }>,
  ): Promise<Outcome | 'conflict'> {
    const { store } = this.#options;
    const isNews = record.known.kind !== 'deleted' || record.known.at !== deleted.at;
    if (isNews && (await store.save(record, deleted)) === 'conflict') return 'conflict';
    // Also for a repeated event: the instance that took it first may have died in between.
    if (record.id.moduleId === undefined) {
      for (const module of await store.modulesOf(record.id)) {
        await this.reconcile(module, [{ kind: 'delete', id: module, time: deleted.at }]);
      }
    }
    return isNews ? 'deleted' : 'unchanged';
  }
}

/** A change by a service may be a person's edit; they wait for its effect. */
function priorityOf(events: readonly TwinEvent[]): DuePriority {
  const edited = events.some(
    ({ kind, ...event }) =>
      kind === 'replace' ||
      ('change' in event && (event.change.desired !== undefined || event.change.tags !== undefined)),
  );
  return edited ? 'edit' : 'drift';
}
