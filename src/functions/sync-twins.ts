import type { InvocationContext } from '@azure/functions';
import { HUB_DEADLINE_MS } from '../hub/port.ts';
import type { Instance } from '../instance/instance.ts';
import { syncContext } from '../instance/sync-context.ts';
import { type BatchEvent, type BatchSummary, takeBatch } from '../sync/events/batch.ts';
import { keepDeadLetters } from '../sync/events/dead-letter-keeper.ts';
import { Reconciler } from '../sync/reconcile/reconciler.ts';
import { type EpochMs, plus } from '../time/epoch-ms.ts';

/** A batch ends within this time. Work that must wait longer becomes a work item. */
const BATCH_MS = 20_000;
/** An instance that ends loses the evidence of this time at most. */
const EVIDENCE_EVERY_MS = 15_000;
/** Older events are logged, because the app is behind or was stopped. */
const LATE_MS = 60_000;

/** Applies twin changes from the Event Hub, and writes corrections. */
export function syncTwins(
  instance: Instance,
): (events: unknown, context: InvocationContext) => Promise<void> {
  return async (events, context) => {
    // The last call to a hub may need its whole deadline.
    const until = plus(instance.now(), BATCH_MS - HUB_DEADLINE_MS);
    const fleet = instance.fleet.current();
    const { stores } = instance;
    const received = receivedEvents(events, context, instance.now());
    warnOfLateEvents(received, instance.now(), context);
    const partition = received[0]?.partition ?? 'unknown';
    const budget = await instance.partitionBudget(partition);
    const evidence = instance.evidence.of(partition);
    const warn = (line: string) => context.warn(line);
    const sync = await syncContext(instance, { fleet, budget, evidence, until, warn });
    const summary = await takeBatch(received, sync, new Reconciler(sync), {
      keepDeadLetters: (letters) =>
        keepDeadLetters(letters, {
          letters: stores.deadLetters,
          hours: stores.letterHours,
          partition,
          now: instance.now,
          warn: (facts) => context.warn(JSON.stringify({ event: 'deadLettersCapped', ...facts })),
        }),
      countUnknownHubs: (hubs) => stores.unknownHubs.addAll(hubs, partition, instance.now()),
      countUnknownSources: (counts) =>
        stores.unknownSources.add(counts, { shard: partition, now: instance.now() }),
    });
    // Before the checkpoint moves, but not after each batch.
    await instance.storeEvidence(EVIDENCE_EVERY_MS);
    if (isNotable(summary)) context.log(JSON.stringify({ event: 'twinsSynchronised', ...summary }));
  };
}

function warnOfLateEvents(received: readonly BatchEvent[], now: EpochMs, context: InvocationContext): void {
  const ageMs = Math.max(0, ...received.map(({ enqueuedAt }) => now - Date.parse(enqueuedAt)));
  if (ageMs <= LATE_MS) return;
  const [{ partition } = { partition: 'unknown' }] = received;
  context.warn(JSON.stringify({ event: 'twinEventsLate', partition, ageMs, events: received.length }));
}

/** A batch is logged only if something needs attention or was written. */
function isNotable({ deadLetters, onlyCounted, unknownHubs, unknownSources, twins }: BatchSummary): boolean {
  return (
    deadLetters > 0 ||
    onlyCounted !== undefined ||
    unknownHubs > 0 ||
    unknownSources !== undefined ||
    (twins.corrected ?? 0) > 0 ||
    (twins.requeued ?? 0) > 0 ||
    (twins.deleted ?? 0) > 0
  );
}

/**
 * The events with their metadata. System properties come only from `systemPropertiesArray`, because the other arrays may be
 * shorter than the batch or hold numbers in other forms (azure-functions-nodejs-worker #844).
 */
function receivedEvents(
  events: unknown,
  { triggerMetadata }: InvocationContext,
  now: EpochMs,
): readonly BatchEvent[] {
  const bodies: readonly unknown[] = Array.isArray(events) ? events : [events];
  const system = list(triggerMetadata?.systemPropertiesArray);
  const properties = list(triggerMetadata?.propertiesArray);
  const aligned = system.length === bodies.length && properties.length === bodies.length;
  const partition = String(record(triggerMetadata?.partitionContext).partitionId ?? 'unknown');
  return bodies.map((body, index) => {
    // Properties of another event would change the wrong twin. Without properties, the event becomes a dead letter.
    const systemProperties = aligned ? record(system[index]) : {};
    const sequenceNumber = Number(
      systemProperties.sequenceNumber ?? systemProperties['x-opt-sequence-number'] ?? now + index,
    );
    return {
      body: toBytes(body),
      properties: aligned ? record(properties[index]) : {},
      systemProperties,
      partition,
      sequenceNumber: Number.isSafeInteger(sequenceNumber) ? sequenceNumber : now + index,
      enqueuedAt: utcText(systemProperties.enqueuedTimeUtc) ?? new Date(now).toISOString(),
    };
  });
}

function toBytes(body: unknown): Uint8Array {
  if (body instanceof Uint8Array) return body;
  return Buffer.from(typeof body === 'string' ? body : (JSON.stringify(body) ?? ''), 'utf8');
}

/** The host writes times in UTC without a zone. */
function utcText(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  const time = new Date(/[zZ]|[+-]\d\d:\d\d$/.test(value) ? value : `${value}Z`);
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
