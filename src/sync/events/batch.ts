import pLimit from 'p-limit';
import { eventHubName, type HostName, NOT_A_HOST_NAME, shortName } from '../../iot-hub/host-name.ts';
import type { DeadLetter } from '../../store/dead-letters/dead-letter-store.ts';
import type { CountedEvents } from '../../store/dead-letters/event-counts.ts';
import { mustComeAgain } from '../../store/tables/newer-format.ts';
import {
  type Decoded,
  decodeEvent,
  type EventContext,
  identityIn,
  type RawEvent,
  type TwinEvent,
} from '../../twin/events/event.ts';
import type { Redaction } from '../../twin/events/redact.ts';
import { redactBody } from '../../twin/redaction/redact-body.ts';
import { type TwinId, twinKey } from '../../twin/snapshot/twin.ts';
import type { ReconcileResult, Reconciler } from '../reconcile/reconciler.ts';
import type { SyncContext } from '../reconcile/sync-context.ts';

/** One event with its place in the Event Hub. */
export interface BatchEvent extends RawEvent {
  readonly partition: string;
  readonly sequenceNumber: number;
}

/** Where the events of a batch go that change no twin. */
export interface EventSinks {
  /** Answers how many of them were only counted. */
  readonly keepDeadLetters: (letters: readonly DeadLetter[]) => Promise<number>;
  readonly countUnknownHubs: (hubs: ReadonlyMap<string, number>) => Promise<void>;
  readonly countUnknownSources: (counts: readonly SourceCount[]) => Promise<void>;
}

/** Events of a kind that this package does not know. */
export type SourceCount = CountedEvents<'hub' | 'source'>;

/** What a batch came to. Every event is in exactly one of these numbers. */
export interface BatchSummary {
  readonly taken: number;
  readonly ignored: number;
  readonly unknownHubs: number;
  /** Undefined where there are none, as in the next one. */
  readonly unknownSources: number | undefined;
  /** Those that are kept. */
  readonly deadLetters: number;
  /** Dead letters beyond the cap. */
  readonly onlyCounted: number | undefined;
  readonly twins: Readonly<Partial<Record<ReconcileResult, number>>>;
}

/** Twins of one hub that are worked on at the same time: a hub that is slow holds up its own only. */
const CONCURRENCY = 16;

/**
 * Takes a batch of one partition: each event is decoded on its own, events of one twin are folded in their
 * order by one worker, twins side by side.
 *
 * @throws BerthError `BERTH_STORE_UNAVAILABLE` or `BERTH_FORMAT_NEWER`, and nothing else: the batch must come again. By then
 *   every other twin has been worked on.
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
  }: Pick<SyncContext, 'fleet' | 'hosts' | 'gate' | 'redaction' | 'now' | 'count'>,
  reconciler: Pick<Reconciler, 'reconcile'>,
  sinks: EventSinks,
): Promise<BatchSummary> {
  // A newer package may target more modules.
  const context = eventContext({ fleet, hosts, modules: (await gate.current()).modules });
  const groups = new Map<string, Group>();
  const unknownHubs = new Map<string, number>();
  const sources = new Map<string, SourceCount>();
  const letters: DeadLetter[] = [];
  let ignored = 0;
  for (const received of events) {
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

  const limits = new Map<string, ReturnType<typeof pLimit>>();
  const limitFor = (name: string) => {
    const limit = limits.get(name) ?? pLimit(CONCURRENCY);
    limits.set(name, limit);
    return limit;
  };
  const twins: Partial<Record<ReconcileResult, number>> = {};
  const worked = [...groups.values()].map((group) =>
    limitFor(group.id.host)(async () => {
      const found = await work(group, reconciler, redaction);
      if (Array.isArray(found)) letters.push(...found);
      else twins[found] = (twins[found] ?? 0) + 1;
    }),
  );
  await allOf(worked);
  for (const group of groups.values()) count(group.id.host, 'lagMs', lagOf(group, now()));
  // After the twins: a batch that comes again and again must not count its events each time.
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

/** How long the events waited in the Event Hub, added up. Signs of life are no events of a twin. */
function lagOf({ events, received }: Group, now: number): number {
  const waits = received.map(({ enqueuedAt }, index) =>
    events[index]?.kind === 'activity' ? 0 : Math.max(0, now - Date.parse(enqueuedAt)),
  );
  return sum(waits);
}

/** As `Promise.all`, and waits for all of them also where one fails. */
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
 * A defect while working on one twin costs that twin's events, which go to the dead letters, and nobody
 * else's.
 */
async function work(
  { id, events, received }: Group,
  reconciler: Pick<Reconciler, 'reconcile'>,
  redaction: Redaction,
): Promise<ReconcileResult | DeadLetter[]> {
  try {
    return (await reconciler.reconcile(id, events)).result;
  } catch (error) {
    if (mustComeAgain(error)) throw error;
    return received.map((event) => toLetter(event, 'BERTH_DEFECT', describe(error), redaction));
  }
}

/** As `decodeEvent`, where a defect in it is one more reason. */
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

/** What decoding needs to know of a fleet. */
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
  const modules = new Set([...fleet.twins.policies.map(({ module }) => module), ...newer]);
  return {
    hubNamed: (name) => byName.get(eventHubName(name)),
    isTargeted: (moduleId) => modules.has(moduleId),
  };
}
