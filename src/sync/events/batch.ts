import { eventHubName, type HostName, NOT_A_HOST_NAME, shortName } from '../../iot-hub/host-name.ts';
import type { DeadLetter } from '../../store/dead-letters/dead-letter-store.ts';
import type { CountedEvents } from '../../store/dead-letters/event-counts.ts';
import { NONE_KEPT_OUT } from '../../store/state/kept-out-devices.ts';
import { mustComeAgain } from '../../store/tables/newer-format.ts';
import { type EpochMs, epochMs } from '../../time/epoch-ms.ts';
import {
  type Decoded,
  decodeEvent,
  type EventContext,
  identityIn,
  modulesFollowed,
  type RawEvent,
  type TwinEvent,
  twinChangeHub,
} from '../../twin/events/event.ts';
import type { Redaction } from '../../twin/events/redact.ts';
import { redactBody } from '../../twin/redaction/redact-body.ts';
import { type TwinId, twinKey } from '../../twin/snapshot/twin.ts';
import type { ReconcileResult, Reconciler } from '../reconcile/reconciler.ts';
import type { SyncContext } from '../reconcile/sync-context.ts';
import type { BeforeHub } from '../reconcile/twin-work.ts';
import { HubSlots } from './hub-slots.ts';

/** One event with its place in the Event Hub. */
export interface BatchEvent extends RawEvent {
  readonly partition: string;
  readonly sequenceNumber: number;
}

/** Stores the events of a batch that change no twin. */
export interface EventSinks {
  /** Returns how many of them were only counted. */
  readonly keepDeadLetters: (letters: readonly DeadLetter[]) => Promise<number>;
  readonly countUnknownHubs: (hubs: ReadonlyMap<string, number>) => Promise<void>;
  readonly countUnknownSources: (counts: readonly SourceCount[]) => Promise<void>;
}

/** Events of a kind that this package does not know. */
export type SourceCount = CountedEvents<'hub' | 'source'>;

/** The result of a batch. Every event is in exactly one of the first numbers. */
export interface BatchSummary {
  readonly taken: number;
  readonly ignored: number;
  readonly unknownHubs: number;
  /** Undefined: none. */
  readonly unknownSources: number | undefined;
  /** Dead letters that are stored. */
  readonly deadLetters: number;
  /** Dead letters beyond the limit, which are only counted. Undefined: none. */
  readonly onlyCounted: number | undefined;
  readonly twins: Readonly<Partial<Record<ReconcileResult, number>>>;
}

/** Twins of one hub that call it at the same time. */
const CALLING = 16;

/**
 * Handles a batch of one partition. Each event is decoded separately. One worker applies the events of one twin in their
 * order. Different twins run at the same time, so that what is stored of them needs few transactions.
 *
 * @throws BerthError `BERTH_STORE_UNAVAILABLE` or `BERTH_FORMAT_NEWER`, and nothing else: the batch must be delivered again.
 *   All other twins are finished first.
 */
export async function takeBatch(
  events: readonly BatchEvent[],
  {
    fleet,
    hosts,
    gate,
    redaction,
    now,
    count,
    isKeptOut = NONE_KEPT_OUT,
    evidence,
  }: Pick<SyncContext, 'fleet' | 'hosts' | 'gate' | 'redaction' | 'now' | 'count' | 'isKeptOut' | 'evidence'>,
  reconciler: Pick<Reconciler, 'prepare' | 'reconcile'>,
  sinks: EventSinks,
): Promise<BatchSummary> {
  // A newer package may target more modules.
  const context = eventContext({ fleet, hosts, modules: (await gate.current()).modules });
  const groups = new Map<string, Group>();
  const unknownHubs = new Map<string, number>();
  const sources = new Map<string, SourceCount>();
  const letters: DeadLetter[] = [];
  const changed = new Map<HostName, string>();
  let ignored = 0;
  for (const received of events) {
    noteChange(received, context, changed);
    const { deviceId } = identityIn(received);
    if (deviceId !== undefined && isKeptOut(deviceId)) {
      ignored += 1;
      continue;
    }
    const decoded = decode(received, context);
    switch (decoded.kind) {
      case 'twin': {
        const key = twinKey(decoded.event.id);
        const group = groups.get(key) ?? { id: decoded.event.id, events: [], received: [] };
        group.events.push(decoded.event);
        group.received.push(received);
        groups.set(key, group);
        break;
      }
      case 'heartbeat':
        evidence.beat(decoded.host, decoded.at);
        ignored += 1;
        break;
      case 'ignored':
        ignored += 1;
        break;
      case 'unknownHub':
        unknownHubs.set(decoded.hubName, (unknownHubs.get(decoded.hubName) ?? 0) + 1);
        break;
      case 'unknownSource': {
        const { source, hubName: hub = '(none)' } = decoded;
        const key = JSON.stringify([hub, source]);
        sources.set(key, { hub, source, events: (sources.get(key)?.events ?? 0) + 1 });
        break;
      }
      case 'undecodable':
        letters.push(toLetter(received, decoded.code, decoded.reason, redaction));
    }
  }

  await reconciler.prepare([...groups.values()].map(({ id }) => id));
  const slots = new HubSlots(CALLING);
  const twins: Partial<Record<ReconcileResult, number>> = {};
  const worked = [...groups.values()].map(async (group) => {
    const slot = slots.slot(group.id.host);
    try {
      const found = await work(group, reconciler, redaction, slot.enter);
      if (Array.isArray(found)) letters.push(...found);
      else twins[found] = (twins[found] ?? 0) + 1;
    } finally {
      slot.leave();
    }
  });
  await allOf(worked);
  for (const [host, at] of changed) evidence.changed(host, epochMs(Date.parse(at)));
  for (const group of groups.values()) count(group.id.host, 'lagMs', lagOf(group, now()));
  // After the twins, so that a batch that fails does not count its events again each time.
  const [onlyCounted] = await allOf([
    letters.length === 0 ? 0 : sinks.keepDeadLetters(letters),
    unknownHubs.size === 0 ? undefined : sinks.countUnknownHubs(unknownHubs),
    sources.size === 0 ? undefined : sinks.countUnknownSources([...sources.values()]),
  ]);
  const ofUnknownHubs = sum(unknownHubs.values());
  const ofUnknownSources = sum([...sources.values()].map((count) => count.events));
  return {
    taken: events.length - ignored - ofUnknownHubs - ofUnknownSources - letters.length,
    ignored,
    unknownHubs: ofUnknownHubs,
    unknownSources: ofUnknownSources || undefined,
    deadLetters: letters.length - onlyCounted,
    onlyCounted: onlyCounted || undefined,
    twins,
  };
}

/** Keeps the newest time at which the Event Hub received a twin change event of each hub. All of these texts have one form. */
function noteChange(
  received: BatchEvent,
  context: Pick<EventContext, 'hubNamed'>,
  changed: Map<HostName, string>,
): void {
  const host = twinChangeHub(received, context);
  if (host === undefined || received.enqueuedAt <= (changed.get(host) ?? '')) return;
  changed.set(host, received.enqueuedAt);
}

/** How long the events waited in the Event Hub, added up. Signs of life are no events of a twin. */
function lagOf({ events, received }: Group, now: EpochMs): number {
  const waits = received.map(({ enqueuedAt }, index) =>
    events[index]?.kind === 'activity' ? 0 : Math.max(0, now - Date.parse(enqueuedAt)),
  );
  return sum(waits);
}

/** Like `Promise.all`, but waits for all promises even if one fails. */
async function allOf<const Results extends readonly unknown[]>(
  work: Results,
): Promise<{ -readonly [Index in keyof Results]: Awaited<Results[Index]> }> {
  await Promise.allSettled(work);
  return Promise.all(work);
}

function sum(numbers: Iterable<number>): number {
  return [...numbers].reduce((total, number) => total + number, 0);
}

interface Group {
  readonly id: TwinId;
  readonly events: TwinEvent[];
  readonly received: BatchEvent[];
}

/**
 * Reconciles one twin. After a defect, the events of this twin become dead letters, and other twins are not affected.
 */
async function work(
  { id, events, received }: Group,
  reconciler: Pick<Reconciler, 'reconcile'>,
  redaction: Redaction,
  beforeHub: BeforeHub,
): Promise<ReconcileResult | DeadLetter[]> {
  try {
    return (await reconciler.reconcile(id, events, beforeHub)).result;
  } catch (error) {
    if (mustComeAgain(error)) throw error;
    return received.map((event) => toLetter(event, 'BERTH_DEFECT', describe(error), redaction));
  }
}

/** Like `decodeEvent`, but a defect in it becomes a reason for a dead letter. */
export function decode(
  received: RawEvent,
  context: EventContext,
): Decoded | { kind: 'undecodable'; code: 'BERTH_DEFECT'; reason: string } {
  try {
    return decodeEvent(received, context);
  } catch (error) {
    return { kind: 'undecodable', code: 'BERTH_DEFECT', reason: describe(error) };
  }
}

function toLetter(
  event: BatchEvent,
  code: DeadLetter['code'],
  reason: string,
  redaction: Redaction,
): DeadLetter {
  const { partition, sequenceNumber, enqueuedAt, systemProperties } = event;
  const { body, isRedacted, without } = redactBody(event.body, redaction);
  const { hubName } = identityIn(event);
  const properties = hubName === NOT_A_HOST_NAME ? { ...event.properties, hubName } : event.properties;
  return {
    partition,
    sequenceNumber,
    enqueuedAt,
    code,
    reason: without(reason),
    body,
    ...(isRedacted ? { isRedacted } : {}),
    properties,
    systemProperties,
  };
}

function describe(error: unknown): string {
  return error instanceof Error
    ? `${error.name}: ${error.message}`.slice(0, 500)
    : String(error).slice(0, 500);
}

/** What decoding needs from a fleet. */
export function eventContext({
  fleet,
  hosts,
  modules: newer = [],
}: Pick<SyncContext, 'fleet' | 'hosts'> & {
  /** Modules that a newer package targets. */
  readonly modules?: Iterable<string>;
}): EventContext {
  const byName = new Map<string, HostName>([
    ...hosts.map((host) => [host, host] as const),
    ...hosts.map((host) => [shortName(host), host] as const),
  ]);
  const modules = new Set([...modulesFollowed(fleet), ...newer]);
  return {
    hubNamed: (name) => byName.get(eventHubName(name)),
    isTargeted: (moduleId) => modules.has(moduleId),
  };
}
