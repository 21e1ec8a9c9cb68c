import type { LocalLog } from '../../log.ts';
import { type Address, addressKey, parseAddressKey } from '../model/address.ts';
import { isEdgeAgent } from '../model/edge.ts';
import { formatInstant, NO_TICKS, type Ticks } from '../model/instant.ts';
import type { DeviceLink } from './device-link.ts';
import { guardedLink } from './guarded-link.ts';

export type { DeviceLink } from './device-link.ts';

/** The connection state of a device. It is not stored. */
export interface Presence {
  readonly connectionState: 'Connected' | 'Disconnected';
  readonly connectionStateUpdatedTime: string;
  readonly lastActivityTime: string;
}

const NEVER_SEEN: Presence = {
  connectionState: 'Disconnected',
  connectionStateUpdatedTime: NO_TICKS,
  lastActivityTime: NO_TICKS,
};

/** The connected devices and modules of a hub, with one connection each. The links that it returns never throw (`guardedLink`). */
export interface Connections {
  link(address: Address): DeviceLink | undefined;
  presence(address: Address): Presence;
  /** Of devices and modules. */
  readonly count: number;
  /** Of devices, without their modules. */
  readonly deviceCount: number;
  /** Makes `link` the connection of this address. Returns the connection that it replaces. */
  open(address: Address, link: DeviceLink, at: Ticks): DeviceLink | undefined;
  /** Ends the connection of this address if it is still `link`. Returns whether it was. */
  end(address: Address, link: DeviceLink, at: Ticks): boolean;
  active(address: Address, at: Ticks): void;
  forget(address: Address): void;
}

export function createConnections(log: LocalLog): Connections {
  const links = new Map<string, { readonly own: DeviceLink; readonly guarded: DeviceLink }>();
  const presences = new Map<string, Presence>();
  const presence = (address: Address): Presence => {
    const known = presences.get(addressKey(address)) ?? NEVER_SEEN;
    return isEdgeAgent(address) ? { ...known, connectionState: 'Disconnected' } : known;
  };
  const changed = (address: Address, connectionState: Presence['connectionState'], at: Ticks): void => {
    const time = formatInstant(at);
    presences.set(addressKey(address), {
      connectionState,
      connectionStateUpdatedTime: time,
      lastActivityTime: time,
    });
  };
  return {
    link: (address) => links.get(addressKey(address))?.guarded,
    presence,
    get count() {
      return links.size;
    },
    get deviceCount() {
      return [...links.keys()].filter((key) => parseAddressKey(key).moduleId === undefined).length;
    },
    open(address, link, at) {
      const replaced = links.get(addressKey(address));
      links.set(addressKey(address), { own: link, guarded: guardedLink(link, log) });
      changed(address, 'Connected', at);
      return replaced?.guarded;
    },
    end(address, link, at) {
      const present = links.get(addressKey(address));
      if (present === undefined || (present.own !== link && present.guarded !== link)) return false;
      links.delete(addressKey(address));
      changed(address, 'Disconnected', at);
      return true;
    },
    active(address, at) {
      presences.set(addressKey(address), { ...presence(address), lastActivityTime: formatInstant(at) });
    },
    forget(address) {
      presences.delete(addressKey(address));
    },
  };
}
