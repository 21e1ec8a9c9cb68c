import { type Address, addressKey } from '../model/address.ts';
import type { HubTwin } from '../model/twin.ts';
import type { DeviceStore } from './device-store.ts';

/** A regional failover loses up to five minutes of twins (iot-hub-ha-dr.md). */
const MAX_AGE_MS = 5 * 60_000;
/** Most stored states of a twin. The states share all values that did not change. */
const MAX_STATES = 4;

interface PastTwin {
  readonly twin: HubTwin;
  /** Time at which the next state replaced it, in milliseconds since the epoch. */
  readonly replacedAt: number;
}

/** Recent states of twins, for a failover. They are in memory only. */
export interface PastTwins {
  /** The states of the last five minutes before the current one, oldest first; at most four. */
  of(address: Address): readonly HubTwin[];
  clear(): void;
}

/** A store that also records the twins that `put` replaces. */
export function rememberTwins(
  store: DeviceStore,
  now: () => number,
): { readonly store: DeviceStore; readonly past: PastTwins } {
  const states = new Map<string, readonly PastTwin[]>();
  const recent = (address: Address): readonly PastTwin[] =>
    (states.get(addressKey(address)) ?? []).filter(({ replacedAt }) => replacedAt >= now() - MAX_AGE_MS);
  return {
    store: {
      ...store,
      get size() {
        return store.size;
      },
      put(entry) {
        const { identity, twin } = entry;
        const before = store.get(identity)?.twin;
        store.put(entry);
        if (before === undefined || before === twin) return;
        const kept = [...recent(identity), { twin: before, replacedAt: now() }].slice(-MAX_STATES);
        states.set(addressKey(identity), kept);
      },
      remove(address) {
        store.remove(address);
        states.delete(addressKey(address));
      },
    },
    past: {
      of: (address) => recent(address).map(({ twin }) => twin),
      clear: () => states.clear(),
    },
  };
}
