import { type Address, addressKey } from '../model/address.ts';
import type { HubTwin } from '../model/twin.ts';
import type { DeviceStore } from './device-store.ts';

/** A regional failover loses up to five minutes of twins (iot-hub-ha-dr.md). */
const MAX_AGE_MS = 5 * 60_000;
/** So many states of a twin are remembered; they share everything that did not change between them. */
const MAX_STATES = 4;

interface PastTwin {
  readonly twin: HubTwin;
  /** When the next state took its place, in milliseconds since the epoch. */
  readonly replacedAt: number;
}

/** What twins were lately, for a failover to go back to. It is forgotten when the hub closes. */
export interface PastTwins {
  /** The states of the last five minutes before the one now, oldest first; at most four. */
  of(address: Address): readonly HubTwin[];
  clear(): void;
}

/** The same store, with a memory for the twins that `put` replaces. */
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
