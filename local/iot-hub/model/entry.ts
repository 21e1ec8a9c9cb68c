import type { CloudMessage } from './cloud-message.ts';
import type { Identity } from './identity.ts';
import type { HubTwin } from './twin.ts';

/** Everything that a hub stores about a device or module. */
export interface Entry {
  readonly identity: Identity;
  readonly twin: HubTwin;
  /** The Plug and Play model from its last connection. */
  readonly modelId?: string;
  /** The filters of its MQTT session. The SDKs rely on them after a reconnect. */
  readonly subscriptions?: readonly string[];
  /** The cloud-to-device messages that the device has not acknowledged, oldest first. */
  readonly inbox?: readonly CloudMessage[];
}

/** A line of the journal. `remove` is an address key. */
export type Line = { readonly put: Entry } | { readonly remove: string };
