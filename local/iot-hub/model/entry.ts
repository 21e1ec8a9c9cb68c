import type { Identity } from './identity.ts';
import type { HubTwin } from './twin.ts';

/** Everything a hub keeps of a device, or of a module. */
export interface Entry {
  readonly identity: Identity;
  readonly twin: HubTwin;
  /** The Plug and Play model it announced when it last connected. */
  readonly modelId?: string;
  /** The filters of its MQTT session: the SDKs rely on finding them again when they reconnect. */
  readonly subscriptions?: readonly string[];
}

/** A line of the journal; what is removed is named by its address's key. */
export type Line = { readonly put: Entry } | { readonly remove: string };
