import { openJournal } from '../../journal.ts';
import { type Address, addressKey, parseAddressKey } from '../model/address.ts';
import type { Entry, Line } from '../model/entry.ts';
import { readStoredLine } from './stored-line.ts';

export type { Entry } from '../model/entry.ts';

/** The devices of one hub and their modules. `put` and `remove` store their changes on disk. */
export interface DeviceStore {
  /** The number of devices. */
  readonly size: number;
  get(address: Address): Entry | undefined;
  put(entry: Entry): void;
  /** Removes one entry. Before a device, remove its modules. */
  remove(address: Address): void;
  /** The devices in the order of their ids, starting after `after`. */
  sorted(after?: string): Iterable<Entry>;
  /** The modules of a device in the order of their ids. */
  modulesOf(deviceId: string): readonly Entry[];
  /** All modules in the order of device ids, then of module ids, starting after `after`. */
  sortedModules(after?: Address): Iterable<Entry>;
  close(): void;
}

/** The journal is compacted when it has this many lines more than four times the number of entries. */
const COMPACT_SLACK = 10_000;

/**
 * Opens the store in `file`; undefined: in memory only.
 *
 * @throws LocalError `BERTH_LOCAL_STATE_DAMAGED`, `BERTH_LOCAL_STATE_UNUSABLE`
 */
export function openDeviceStore(file: string | undefined): DeviceStore {
  const entries = new Map<string, Entry>();
  /** The devices with the ids of their modules. A device without modules has no set. */
  const devices = new Map<string, Set<string> | undefined>();
  let ids: string[] | undefined;
  let lines = 0;

  const keep = (entry: Entry): void => {
    const { deviceId, moduleId } = entry.identity;
    entries.set(addressKey(entry.identity), entry);
    if (!devices.has(deviceId)) ids = undefined;
    const moduleIds = devices.get(deviceId);
    devices.set(deviceId, moduleId === undefined ? moduleIds : (moduleIds ?? new Set()).add(moduleId));
  };
  const drop = (address: Address): void => {
    entries.delete(addressKey(address));
    if (address.moduleId !== undefined) {
      devices.get(address.deviceId)?.delete(address.moduleId);
    } else if (devices.delete(address.deviceId)) {
      ids = undefined;
    }
  };
  const journal = openJournal<Line>(file, (record) => {
    const line = readStoredLine(record);
    lines += 1;
    if ('put' in line) keep(line.put);
    else drop(parseAddressKey(line.remove));
  });
  const write = (line: Line): void => {
    journal.append(line);
    lines += 1;
  };
  const compactWhenLong = (): void => {
    if (lines <= 4 * entries.size + COMPACT_SLACK) return;
    lines = entries.size;
    journal.compact([...entries.values()].map((entry) => ({ put: entry })));
  };

  return {
    get size() {
      return devices.size;
    },
    get: (address) => entries.get(addressKey(address)),
    put(entry) {
      write({ put: entry });
      keep(entry);
      compactWhenLong();
    },
    remove(address) {
      write({ remove: addressKey(address) });
      drop(address);
      compactWhenLong();
    },
    *sorted(after) {
      ids ??= [...devices.keys()].sort();
      const listed = ids;
      for (let at = after === undefined ? 0 : firstAfter(listed, after); at < listed.length; at += 1) {
        const device = entries.get(listed[at] ?? '');
        if (device !== undefined) yield device;
      }
    },
    modulesOf(deviceId) {
      const moduleIds = [...(devices.get(deviceId) ?? [])].sort();
      return moduleIds.flatMap((moduleId) => entries.get(addressKey({ deviceId, moduleId })) ?? []);
    },
    *sortedModules(after) {
      const { deviceId, moduleId } = after ?? {};
      if (deviceId !== undefined && moduleId !== undefined) {
        yield* this.modulesOf(deviceId).filter(({ identity }) => (identity.moduleId ?? '') > moduleId);
      }
      for (const { identity } of this.sorted(deviceId)) yield* this.modulesOf(identity.deviceId);
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
