import pLimit from 'p-limit';
import { BerthError } from '../errors.ts';
import type { Fleet } from '../fleet/fleet.ts';
import { eventHubName, type HostName, NOT_A_HOST_NAME, shortName } from '../fleet/host-name.ts';
import type { DeadLetter } from '../store/dead-letter-store.ts';
import {
  type Decoded,
  decodeEvent,
  type EventContext,
  identityIn,
  type RawEvent,
  type TwinEvent,
} from '../twin/event.ts';
import { type TwinId, twinKey } from '../twin/twin.ts';
import type { Outcome } from './reconciler.ts';

/** One event with its place in the Event Hub. */
export interface ReceivedEvent extends RawEvent {
  readonly partition: string;
  readonly sequenceNumber: number;
}

export interface BatchOptions {
  readonly fleet: Fleet;
  /** The hubs that this deployment reconciles. */
  readonly hosts: readonly HostName[];
  /** Modules that a newer package targets. */
  readonly modules?: Iterable<string>;
  readonly reconcile: (id: TwinId, events: readonly TwinEvent[]) => Promise<Outcome>;
  readonly keepDeadLetter: (letter: DeadLetter) => Promise<void>;
  readonly countStranger: (hubName: string, events: number) => Promise<void>;
}

/** What a batch came to. Every event is in exactly one of the first four. */
export interface BatchSummary {
  readonly taken: number;
  readonly ignored: number;
  readonly strangers: number;
  readonly deadLetters: number;
  readonly twins: Readonly<Partial<Record<Outcome, number>>>;
}

/** Twins of one hub that are worked on at the same time: a hub that is slow holds up its own only. */
const CONCURRENCY = 16;

/**
 * Takes a batch of one partition: each event is decoded on its own, events of one twin are folded in their
 * order by one worker, twins side by side.
 *
 * @throws BerthError `BERTH_STORE_UNAVAILABLE`, and nothing else: the batch must come again. By then every
 *   other twin has been worked on.
 */
export async function takeBatch(
  events: readonly ReceivedEvent[],
  options: BatchOptions,
): Promise<BatchSummary> {
  const context = eventContext(options);
  const groups = new Map<string, Group>();
  const strangers = new Map<string, number>();
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
      case 'stranger':
        strangers.set(decoded.hubName, (strangers.get(decoded.hubName) ?? 0) + 1);
        break;
      case 'undecodable':
        letters.push(toLetter(received, decoded.code, decoded.reason));
    }
  }

  const limits = new Map<string, ReturnType<typeof pLimit>>();
  const limitFor = (name: string) => {
    const limit = limits.get(name) ?? pLimit(CONCURRENCY);
    limits.set(name, limit);
    return limit;
  };
  const twins: Partial<Record<Outcome, number>> = {};
  const results = await Promise.allSettled([
    ...[...groups.values()].map((group) =>
      limitFor(group.id.host)(async () => {
        const found = await work(group, options);
        if (Array.isArray(found)) letters.push(...found);
        else twins[found] = (twins[found] ?? 0) + 1;
      }),
    ),
    ...[...strangers].map(([hubName, count]) =>
      limitFor('strangers')(() => options.countStranger(hubName, count)),
    ),
  ]);
  results.push(
    ...(await Promise.allSettled(
      letters.map((letter) => limitFor('letters')(() => options.keepDeadLetter(letter))),
    )),
  );
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  const counted = [...strangers.values()].reduce((sum, count) => sum + count, 0);
  return {
    taken: events.length - ignored - counted - letters.length,
    ignored,
    strangers: counted,
    deadLetters: letters.length,
    twins,
  };
}

interface Group {
  readonly id: TwinId;
  readonly events: TwinEvent[];
  readonly received: ReceivedEvent[];
}

/**
 * A defect while working on one twin costs that twin's events, which go to the dead letters, and nobody
 * else's.
 */
async function work(
  { id, events, received }: Group,
  { reconcile }: BatchOptions,
): Promise<Outcome | DeadLetter[]> {
  try {
    return await reconcile(id, events);
  } catch (error) {
    if (error instanceof BerthError && error.code === 'BERTH_STORE_UNAVAILABLE') throw error;
    return received.map((event) => toLetter(event, 'BERTH_DEFECT', describe(error)));
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

function toLetter(event: ReceivedEvent, code: DeadLetter['code'], reason: string): DeadLetter {
  const { partition, sequenceNumber, enqueuedAt, body, systemProperties } = event;
  const { hubName } = identityIn(event);
  const properties = hubName === NOT_A_HOST_NAME ? { ...event.properties, hubName } : event.properties;
  return { partition, sequenceNumber, enqueuedAt, code, reason, body, properties, systemProperties };
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
}: Pick<BatchOptions, 'fleet' | 'hosts' | 'modules'>): EventContext {
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
