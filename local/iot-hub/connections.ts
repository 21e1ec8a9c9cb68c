import { formatInstant, type Instant, NEVER } from './instant.ts';
import type { Section } from './twin.ts';

/** A connected device, as the hub reaches it. */
export interface DeviceLink {
  /**
   * Tells the device of a change of its desired properties, if it wants to know. Answers whether it was sent.
   */
  notifyDesired(patch: Section): boolean;
  close(): void;
}

/** What is known of a device's connection; it is forgotten when the hub closes. */
export interface Presence {
  readonly connectionState: 'Connected' | 'Disconnected';
  readonly connectionStateUpdatedTime: string;
  readonly lastActivityTime: string;
}

const NEVER_SEEN: Presence = {
  connectionState: 'Disconnected',
  connectionStateUpdatedTime: NEVER,
  lastActivityTime: NEVER,
};

/** Who is connected to a hub: one connection a device. */
export interface Connections {
  link(deviceId: string): DeviceLink | undefined;
  presence(deviceId: string): Presence;
  readonly count: number;
  /** Makes `link` the device's connection; answers the one it replaces. */
  open(deviceId: string, link: DeviceLink, at: Instant): DeviceLink | undefined;
  /** Ends the device's connection if it still is `link`; answers whether it was. */
  end(deviceId: string, link: DeviceLink, at: Instant): boolean;
  active(deviceId: string, at: Instant): void;
  forget(deviceId: string): void;
}

export function createConnections(): Connections {
  const links = new Map<string, DeviceLink>();
  const presences = new Map<string, Presence>();
  const presence = (deviceId: string): Presence => presences.get(deviceId) ?? NEVER_SEEN;
  const changed = (deviceId: string, connectionState: Presence['connectionState'], at: Instant): void => {
    const time = formatInstant(at);
    presences.set(deviceId, { connectionState, connectionStateUpdatedTime: time, lastActivityTime: time });
  };
  return {
    link: (deviceId) => links.get(deviceId),
    presence,
    get count() {
      return links.size;
    },
    open(deviceId, link, at) {
      const replaced = links.get(deviceId);
      links.set(deviceId, link);
      changed(deviceId, 'Connected', at);
      return replaced;
    },
    end(deviceId, link, at) {
      if (links.get(deviceId) !== link) return false;
      links.delete(deviceId);
      changed(deviceId, 'Disconnected', at);
      return true;
    },
    active(deviceId, at) {
      presences.set(deviceId, { ...presence(deviceId), lastActivityTime: formatInstant(at) });
    },
    forget(deviceId) {
      presences.delete(deviceId);
    },
  };
}
