import { BerthError } from '../../src/errors.ts';
import type { TwinRecord } from '../../src/store/twin-store.ts';
import type { Known } from '../../src/twin/fold.ts';
import { restoreShadow } from '../../src/twin/shadow.ts';
import { type TwinId, twinKey } from '../../src/twin/twin.ts';

/** Twin records in memory with etags, for virtual time. */
export class MemoryTwinStore {
  readonly records = new Map<string, { readonly known: Known; readonly etag: string }>();
  writes = 0;
  isAway = false;
  /** Called before a save is looked at: what another instance does meanwhile. */
  meanwhile: (() => Promise<void> | void) | undefined;

  async load(id: TwinId): Promise<TwinRecord> {
    this.#reach();
    const found = this.records.get(twinKey(id));
    const known: Known = found?.known ?? { kind: 'nothing' };
    return {
      id,
      known: known.kind === 'shadow' ? { kind: 'shadow', shadow: restoreShadow(id, known.shadow) } : known,
      etag: found?.etag,
      isRemembered: false,
    };
  }

  async save(record: TwinRecord, known: Known): Promise<TwinRecord | 'conflict'> {
    this.#reach();
    const meanwhile = this.meanwhile;
    this.meanwhile = undefined;
    await meanwhile?.();
    const key = twinKey(record.id);
    if (this.records.get(key)?.etag !== record.etag) return 'conflict';
    this.writes += 1;
    const etag = String(this.writes);
    this.records.set(key, { known: JSON.parse(JSON.stringify(known)) as Known, etag });
    return { id: record.id, known, etag, isRemembered: false };
  }

  async modulesOf({ host, deviceId }: TwinId): Promise<readonly TwinId[]> {
    const prefix = `${host}|${deviceId}|`;
    return [...this.records.keys()]
      .filter((key) => key.startsWith(prefix))
      .map((key) => ({ host, deviceId, moduleId: key.slice(prefix.length) }));
  }

  #reach(): void {
    if (this.isAway) throw new BerthError('BERTH_STORE_UNAVAILABLE', 'The state tables cannot be used now.');
  }
}
