import { openJournal } from '../journal.ts';
import type { Identity } from './identity.ts';
import type { Twin } from './twin.ts';

/** Everything a hub keeps of a device. */
export interface Device {
  readonly identity: Identity;
  readonly twin: Twin;
  /** The Plug and Play model it announced when it last connected. */
  readonly modelId?: string;
  /** The filters of its MQTT session: the SDKs rely on finding them again when they reconnect. */
  readonly subscriptions?: readonly string[];
}

type Entry = { readonly put: Device } | { readonly remove: string };

/** The devices of one hub. What `put` and `remove` did survives the end of the process. */
export interface DeviceStore {
  readonly size: number;
  get(deviceId: string): Device | undefined;
  put(device: Device): void;
  remove(deviceId: string): void;
  /** In the order of their ids, from the first one after `after`. */
  sorted(after?: string): Iterable<Device>;
  close(): void;
}

/** The journal is rewritten when it holds this many entries more than four times the devices. */
const COMPACT_SLACK = 10_000;

/** Opens the store kept in `file`; undefined: in memory only. */
export function openDeviceStore(file: string | undefined): DeviceStore {
  const devices = new Map<string, Device>();
  let ids: string[] | undefined;
  let entries = 0;
  const journal = openJournal<Entry>(file, (entry) => {
    entries += 1;
    if ('put' in entry) devices.set(entry.put.identity.deviceId, entry.put);
    else devices.delete(entry.remove);
  });
  const compactWhenLong = (): void => {
    entries += 1;
    if (entries > 4 * devices.size + COMPACT_SLACK) {
      entries = devices.size;
      journal.compact([...devices.values()].map((device) => ({ put: device })));
    }
  };
  return {
    get size() {
      return devices.size;
    },
    get: (deviceId) => devices.get(deviceId),
    put(device) {
      const { deviceId } = device.identity;
      journal.append({ put: device });
      if (!devices.has(deviceId)) ids = undefined;
      devices.set(deviceId, device);
      compactWhenLong();
    },
    remove(deviceId) {
      journal.append({ remove: deviceId });
      devices.delete(deviceId);
      ids = undefined;
      compactWhenLong();
    },
    *sorted(after) {
      ids ??= [...devices.keys()].sort();
      const listed = ids;
      for (let at = after === undefined ? 0 : firstAfter(listed, after); at < listed.length; at += 1) {
        const device = devices.get(listed[at] ?? '');
        if (device !== undefined) yield device;
      }
    },
    close: () => journal.close(),
  };
}

function firstAfter(sorted: readonly string[], id: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? '') <= id) low = middle + 1;
    else high = middle;
  }
  return low;
}
