import type { HubCounts } from './sync-counters.ts';

/**
 * The metrics that Berth can export. Names and units follow the conventions of OpenTelemetry: `s` is seconds, a unit in braces
 * counts things, `1` is a share from 0 to 1.
 */
export const METRICS = {
  'berth.allocations': {
    kind: 'counter',
    unit: '{registration}',
    text: 'Registrations that the webhook answered, by `result` (assigned, refused, failed), `hub`, `how` and `code`',
  },
  'berth.events': {
    kind: 'counter',
    unit: '{event}',
    text: 'Events of twins, by `hub` and `result` (merged, replayed, gaps)',
  },
  'berth.hub.calls': {
    kind: 'counter',
    unit: '{call}',
    text: 'Calls to hubs, by `hub` and `call` (reads, writes, queries, failed)',
  },
  'berth.event.wait': {
    kind: 'counter',
    unit: 's',
    text: 'Time that events waited in the Event Hub, all of them together, by `hub`. Divide it by `berth.events`.',
  },
  'berth.correction.time': {
    kind: 'histogram',
    unit: 's',
    text: 'From the event of a twin to the correction that it caused, by `hub`',
    bounds: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600],
  },
  'berth.acknowledgement.time': {
    kind: 'histogram',
    unit: 's',
    text: 'From the last correction of a twin to the report with which it is in sync, by `hub`',
    // A device may be offline for days.
    bounds: [0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 21_600, 86_400, 604_800],
  },
  'berth.twins': { kind: 'gauge', unit: '{twin}', text: 'Twins, by `hub` and `status`' },
  'berth.queue.age': {
    kind: 'gauge',
    unit: 's',
    text: 'How long the oldest due work item has waited, by `hub`. 0: none is due.',
  },
  'berth.budget.left': {
    kind: 'gauge',
    unit: '1',
    text: 'Share of the messages of this day that Berth may still use, by `hub`',
  },
  'berth.liveness': {
    kind: 'gauge',
    unit: '1',
    text: 'Whether the twin change events of a hub arrive, by `hub` and `state` (live, quiet, late, silent). 1: the present state, 0: the others',
  },
  'berth.edge.devices': {
    kind: 'gauge',
    unit: '{device}',
    text: 'IoT Edge devices, by `hub` and `status`',
  },
  'berth.edge.budget.left': {
    kind: 'gauge',
    unit: '1',
    text: 'Share of the operations that `resyncFleet` has saved up for manifests that wait, by `hub` and `operation` (apply, identity)',
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;

export type MetricDefinition = {
  readonly unit: string;
  readonly text: string;
} & (
  | { readonly kind: 'counter' | 'gauge' }
  | {
      readonly kind: 'histogram';
      /** The upper bounds of the buckets, inclusive, in the unit of the metric. One more bucket has all greater values. */
      readonly bounds: readonly number[];
    }
);

export type MetricName = keyof typeof METRICS;
type NameOf<Kind> = {
  [Name in MetricName]: (typeof METRICS)[Name]['kind'] extends Kind ? Name : never;
}[MetricName];

/** Attributes of a measured value, such as its hub. Never an id of a device: each combination is a series that is billed. */
export type MetricAttributes = Readonly<Record<string, string>>;

export interface GaugeValue {
  readonly name: NameOf<'gauge'>;
  readonly value: number;
  readonly attributes: MetricAttributes;
}

/** Where measured values go. No method throws. */
export interface Metrics {
  add(name: NameOf<'counter'>, value: number, attributes: MetricAttributes): void;
  record(name: NameOf<'histogram'>, seconds: number, attributes: MetricAttributes): void;
  /** Replaces the values of all gauges. They are sent for three minutes, if they are not replaced before. */
  set(gauges: readonly GaugeValue[]): void;
  /** Sends what was measured, and ends. */
  close(): Promise<void>;
}

/** Metrics that are not sent anywhere. */
export const NO_METRICS: Metrics = {
  add: () => {},
  record: () => {},
  set: () => {},
  close: async () => {},
};

/** Adds what sync has counted for a hub. */
export function addCountsTo(metrics: Metrics, hub: string, counts: HubCounts): void {
  const add = (name: NameOf<'counter'>, value: number, attributes: MetricAttributes): void => {
    if (value > 0) metrics.add(name, value, { hub, ...attributes });
  };
  for (const result of ['merged', 'replayed', 'gaps'] as const)
    add('berth.events', counts[result], { result });
  for (const call of ['reads', 'writes', 'queries', 'failed'] as const)
    add('berth.hub.calls', counts[call], { call });
  add('berth.event.wait', counts.lagMs / 1_000, {});
}
