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
  /** Those of `subscriptions` that have QoS 0. The others have QoS 1. */
  readonly atMostOnce?: readonly string[];
  /** The packet ids of the messages in `inbox` that its MQTT session has got and not acknowledged, by their ids. */
  readonly packetIds?: Readonly<Record<string, number>>;
  /** The automatic configurations that target it, by their ids. */
  readonly configurations?: Readonly<Record<string, AppliedConfiguration>>;
  /** The cloud-to-device messages that the device has not acknowledged, oldest first. */
  readonly inbox?: readonly CloudMessage[];
  /** The sequence number of the last cloud-to-device message; absent: there was none. */
  readonly lastMessage?: number;
}

/** What an automatic configuration does to a twin: `Applied`, or `Targeted` if configurations with precedence set all its values. */
export interface AppliedConfiguration {
  readonly status: 'Applied' | 'Targeted';
  /** The desired properties that it sets, as paths with dots. */
  readonly paths: readonly string[];
  /** Whether it is a deployment of IoT Edge. It then has no paths. */
  readonly isManifest?: true;
}

/** A line of the journal. `remove` is an address key. */
export type Line = { readonly put: Entry } | { readonly remove: string };
