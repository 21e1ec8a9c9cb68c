import type { IconName } from '../../parts/icons.tsx';
import { countedText, hubName, valueText } from '../../words/format.ts';

/** One item of `GET /events/feed` of the control API. */
export type ShownEvent = { readonly n: number; readonly at: string } & (
  | {
      readonly kind: 'twin';
      readonly hub: string;
      readonly deviceId: string;
      readonly moduleId: string | null;
      readonly what: string;
      readonly version: number | null;
      readonly change: Readonly<Record<string, unknown>> | null;
    }
  | { readonly kind: 'telemetry'; readonly hub: string; readonly messages: number; readonly devices: number }
  | {
      readonly kind: 'registration';
      readonly registrationId: string;
      readonly status: string;
      readonly hub: string | null;
      readonly deviceId: string | null;
      readonly why: string | null;
    }
  | {
      readonly kind: 'faults';
      readonly hub: string | null;
      readonly settings: Readonly<Record<string, unknown>> | null;
    }
);

export interface ShownEvents {
  readonly items: readonly ShownEvent[];
  readonly next: number;
  readonly missed: number;
}

export const FEED_KINDS = {
  twin: 'twin events',
  telemetry: 'telemetry',
  registration: 'registrations',
  faults: 'faults',
} as const;

export type FeedKind = keyof typeof FEED_KINDS;

export const FEED_ICONS: Readonly<Record<FeedKind, IconName>> = {
  twin: 'policy',
  telemetry: 'events',
  registration: 'enrollment',
  faults: 'warning',
};

/** An item in words. */
export function feedWords(item: ShownEvent): {
  readonly deviceId: string | undefined;
  readonly title: string;
  readonly detail: string;
} {
  switch (item.kind) {
    case 'twin': {
      const { deviceId, moduleId, what, version, change } = item;
      return {
        deviceId,
        title: `${moduleId === null ? '' : `module ${moduleId}: `}${EVENT_WORDS[what] ?? what}`,
        detail: [
          hubName(item.hub),
          version === null ? '' : `version ${version}`,
          change === null || Object.keys(change).length === 0 ? '' : valueText(change, 160),
        ]
          .filter(Boolean)
          .join('; '),
      };
    }
    case 'telemetry':
      return {
        deviceId: undefined,
        title: `${countedText(item.messages, 'message')} of ${countedText(item.devices, 'device')}`,
        detail: hubName(item.hub),
      };
    case 'registration':
      return {
        deviceId: item.deviceId ?? item.registrationId,
        title: item.hub === null ? `registration ${item.status}` : `registered: ${hubName(item.hub)}`,
        detail: item.why ?? '',
      };
    case 'faults':
      return {
        deviceId: undefined,
        title: item.settings === null ? 'Faults ended' : 'Faults set',
        detail: `${item.hub === null ? 'all hubs' : hubName(item.hub)}${item.settings === null ? '' : `; ${valueText(item.settings, 160)}`}`,
      };
  }
}

const EVENT_WORDS: Readonly<Record<string, string>> = {
  updateTwin: 'twin changed',
  replaceTwin: 'twin replaced',
  createDeviceIdentity: 'identity created',
  deleteDeviceIdentity: 'identity deleted',
  deviceConnected: 'connected',
  deviceDisconnected: 'disconnected',
  moduleConnected: 'connected',
  moduleDisconnected: 'disconnected',
};

/** Items that a feed page keeps. */
const MOST_SHOWN = 200;

/** The feed with new items in front, the newest first. */
export function withNews(shown: readonly ShownEvent[], news: readonly ShownEvent[]): readonly ShownEvent[] {
  return [...[...news].reverse(), ...shown].slice(0, MOST_SHOWN);
}
