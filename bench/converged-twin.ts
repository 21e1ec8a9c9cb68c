import { controlSchema } from '../src/control/control.ts';
import { parseFleet } from '../src/fleet/file/parse.ts';
import type { JsonObject } from '../src/json/json.ts';
import { firstStep, workOn } from '../src/sync/reconcile/protocol.ts';
import { gateOf } from '../src/sync/reconcile/write-gate.ts';
import { epochMs } from '../src/time/epoch-ms.ts';
import { applyEvent, type Known } from '../src/twin/events/apply-event.ts';
import { decodeEvent, type EventContext, type RawEvent } from '../src/twin/events/event.ts';
import { staysInSync } from '../src/twin/plan/stays-in-sync.ts';
import type { Snapshot } from '../src/twin/snapshot/snapshot.ts';
import { pumpFleet, pumpTwin } from './pump.ts';

/*
 * A pump whose twin is in sync and that reports one changing value repeatedly. Nearly all events of a healthy fleet are
 * like this.
 */

/** Number of different reports. They repeat in this order. */
const REPORTS = 1_000;

/** A device of a hub, by the short name of the hub. */
export interface BenchDevice {
  readonly hubName: string;
  readonly deviceId: string;
}

const PUMP: BenchDevice = { hubName: 'contoso-weu', deviceId: 'pump-0001' };

const time = (change: number) =>
  `2026-11-23T12:${pad(Math.floor(change / 60) % 60)}:${pad(change % 60)}.${String(1_000_000 + change)}`;
const pad = (value: number) => String(value).padStart(2, '0');

function createdTwin(policies: number): JsonObject {
  const { tags, desired, reported } = pumpTwin(policies);
  const stamp = { $lastUpdated: `${time(0)}Z` };
  return {
    etag: 'AAAAAAAAAAE=',
    version: 3,
    tags,
    properties: {
      desired: { ...desired, $metadata: { ...stamp, $lastUpdatedVersion: 1 }, $version: 1 },
      reported: { ...reported, $metadata: stamp, $version: 2 },
    },
  };
}

export type RawReport = RawEvent & { readonly body: Buffer };

function eventOf(
  opType: string,
  operationTimestamp: string,
  body: JsonObject,
  { hubName, deviceId }: BenchDevice,
): RawReport {
  return {
    body: Buffer.from(JSON.stringify(body)),
    properties: {
      hubName,
      deviceId,
      operationTimestamp,
      'iothub-message-schema': 'twinChangeNotification',
      opType,
    },
    systemProperties: {
      'iothub-connection-device-id': deviceId,
      'iothub-message-source': opType === 'updateTwin' ? 'twinChangeEvents' : 'deviceLifecycleEvents',
      'iothub-enqueuedtime': Date.UTC(2026, 10, 23, 12),
    },
    enqueuedAt: operationTimestamp.replace(/\+00:00$/, 'Z'),
  };
}

/** The battery that report number `change` says. */
export function batteryOf(change: number): number {
  return 30 + (change % 60);
}

/** Report number `change` of the device, in the form of the local hub and of captures of real hubs. */
export function reportOf(change: number, device: BenchDevice = PUMP): RawReport {
  const stamp = { $lastUpdated: `${time(change)}Z` };
  const body = {
    version: 3 + change,
    properties: {
      reported: {
        power: { battery: batteryOf(change) },
        $metadata: { ...stamp, power: { ...stamp, battery: stamp } },
        $version: 2 + change,
      },
    },
  };
  return eventOf('updateTwin', `${time(change)}+00:00`, body, device);
}

/** The creation of the device, with a twin that is in sync. */
export function creationOf(policies: number, device: BenchDevice = PUMP): RawReport {
  return eventOf('createDeviceIdentity', `${time(0)}+00:00`, createdTwin(policies), device);
}

export interface ConvergedTwin {
  /** The body of the next report, for the comparison with JSON.parse. */
  nextBody(): Buffer;
  /** Processes the next report as the reconciler does, from bytes to the snapshot to store. */
  take(): Snapshot;
}

/**
 * @param policies number of policies of the fleet, at least six
 * @param isPlanned every report costs a plan, as a report does that a policy may depend on
 */
export function convergedTwin(policies: number, isPlanned = false): ConvergedTwin {
  const parsed = parseFleet(JSON.stringify(pumpFleet(policies, 'S1')));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const { fleet } = parsed;
  const { twins, revision } = fleet;
  const [hub] = fleet.hubs;
  if (hub === undefined) throw new Error('no hub');
  const context: EventContext = { hubNamed: () => hub.host, isTargeted: () => false };
  const gate = gateOf(controlSchema.parse({}), '');
  const now = epochMs(Date.UTC(2026, 10, 23, 13));
  const events = Array.from({ length: REPORTS }, (_, index) => reportOf(index + 1));
  const reconcile = (before: Known, raw: RawEvent): Known & { kind: 'snapshot' } => {
    const decoded = decodeEvent(raw, context);
    if (decoded.kind !== 'twin') throw new Error(decoded.kind);
    const { event } = decoded;
    const known = applyEvent(before, event, twins.trackedPaths);
    if (known.kind !== 'snapshot' || known.snapshot.unread !== undefined) throw new Error('not merged');
    const after = known.snapshot;
    const isStillInSync =
      !isPlanned &&
      before.kind === 'snapshot' &&
      staysInSync({ before: before.snapshot, after, events: [event], hub, twins, revision });
    const start = { hub, priority: 'drift', gate, now, staysInSync: isStillInSync } as const;
    const { step } = firstStep(workOn(after, start), { fleet, now });
    if (step.kind !== 'settle') throw new Error(step.kind);
    return { kind: 'snapshot', snapshot: step.snapshot };
  };
  const created = reconcile({ kind: 'nothing' }, creationOf(policies));

  let known = created;
  let next = 0;
  const nextEvent = (): RawReport => {
    const event = events[next];
    if (event !== undefined) {
      next += 1;
      return event;
    }
    next = 0;
    known = created;
    return nextEvent();
  };
  return {
    nextBody: () => nextEvent().body,
    take() {
      const event = nextEvent();
      known = reconcile(known, event);
      const { status, why } = known.snapshot.lastReconcile;
      if (status !== 'inSync') throw new Error(`${status}: ${why}`);
      return known.snapshot;
    },
  };
}
