import type { DeviceStore } from './device-store.ts';
import type { Twin } from './twin.ts';

/** A regional failover loses up to five minutes of twins (iot-hub-ha-dr.md). */
const MAX_AGE_MS = 5 * 60_000;
/** So many states of a twin are remembered; they share everything that did not change between them. */
const MAX_STATES = 4;

interface PastTwin {
  readonly twin: Twin;
  /** When the next state took its place, in milliseconds since the epoch. */
  readonly replacedAt: number;
}

/** What twins were lately, for a failover to go back to. It is forgotten when the hub closes. */
export interface PastTwins {
  /** The states of the last five minutes before the one now, oldest first; at most four. */
  of(deviceId: string): readonly Twin[];
  clear(): void;
}

/** The same store, with a memory for the twins that `put` replaces. */
export function rememberTwins(
  store: DeviceStore,
  now: () => number,
): { readonly store: DeviceStore; readonly past: PastTwins } {
  const states = new Map<string, readonly PastTwin[]>();
  const recent = (deviceId: string): readonly PastTwin[] =>
    (states.get(deviceId) ?? []).filter(({ replacedAt }) => replacedAt >= now() - MAX_AGE_MS);
  return {
    store: {
      ...store,
      get size() {
        return store.size;
      },
      put(device) {
        const { deviceId } = device.identity;
        const before = store.get(deviceId)?.twin;
        store.put(device);
        if (before === undefined || before === device.twin) return;
        const kept = [...recent(deviceId), { twin: before, replacedAt: now() }].slice(-MAX_STATES);
        states.set(deviceId, kept);
      },
      remove(deviceId) {
        store.remove(deviceId);
        states.delete(deviceId);
      },
    },
    past: {
      of: (deviceId) => recent(deviceId).map(({ twin }) => twin),
      clear: () => states.clear(),
    },
  };
}
