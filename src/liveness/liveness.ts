import * as z from 'zod';
import type { Tier } from '../iot-hub/throttles.ts';
import { type EpochMs, laterOf, plus } from '../time/epoch-ms.ts';
import { epochMsSchema } from '../time/epoch-ms-schema.ts';
import { type LivenessEvidence, MINUTE_MS, RESYNC_SHARD } from './evidence.ts';
import { type EventReader, readerStatus, readerText, readUpTo } from './reader.ts';

/*
 * Whether the twin change events of a hub arrive. Pure: the evidence, the heartbeats and the reader go in, the state comes out.
 * test/liveness/liveness-table.test.ts is the specification.
 */

/**
 * - `live`: a twin change event or an echo came lately.
 * - `quiet`: nothing came lately, and nothing was expected.
 * - `late`: Berth is behind, or cannot see how far it has read. So nothing is known of the hub.
 * - `silent`: a correction or a heartbeat has not come back, although the Event Hub is read.
 */
export const LIVENESS_STATES = ['live', 'quiet', 'late', 'silent'] as const;
export type LivenessState = (typeof LIVENESS_STATES)[number];

const beatSchema = z.object({
  /** `sent`: written. `missing`: the hub has no such identity, or it is disabled. `failed`: the hub did not take it. */
  result: z.enum(['sent', 'missing', 'failed']),
  /** Whether the hub has the identity, as far as is known. */
  exists: z.boolean(),
  /** The last try. */
  at: epochMsSchema,
  /** Why it failed. */
  why: z.string().optional(),
  /** The times of the heartbeats of the last hours, the oldest first. */
  sent: z.array(epochMsSchema),
});

/** The heartbeats of a hub. */
export type Heartbeats = z.output<typeof beatSchema>;

const lossSchema = z.object({
  /** The first and the last write that did not come back. */
  first: epochMsSchema,
  last: epochMsSchema,
  /** How many corrections and heartbeats did not come back, as far as they are counted. */
  corrections: z.int().min(0),
  heartbeats: z.int().min(0),
  /** No twin change event has come since. False: other events came, so only some are lost. */
  isMute: z.boolean(),
});
type Loss = z.output<typeof lossSchema>;

export const livenessSchema = z.object({
  state: z.enum(LIVENESS_STATES),
  /** Since when the hub is in this state. */
  since: epochMsSchema,
  /** One sentence without its end; empty: there is nothing to say. */
  why: z.string(),
  /** When it was assessed first. */
  watchedSince: epochMsSchema,
  /** When it was assessed last. */
  assessedAt: epochMsSchema,
  /** The newest twin change event, by the Event Hub's clock. */
  changedAt: epochMsSchema.optional(),
  /** The newest write that came back. */
  echoedAt: epochMsSchema.optional(),
  loss: lossSchema.optional(),
  /** Losses up to this time are over: later writes came back. */
  healedUpTo: epochMsSchema.optional(),
  /** The last silence: the audit compares all twins while it lasts, and once more after its end. */
  silence: z
    .object({ since: epochMsSchema, noticedAt: epochMsSchema, until: epochMsSchema.optional() })
    .optional(),
  beats: beatSchema.optional(),
});

/** What is known of the twin change events of one hub. */
export type HubLiveness = z.output<typeof livenessSchema>;

/** An event that has not come after this time is lost, if the Event Hub is read. */
export const LOST_AFTER_MS = 10 * MINUTE_MS;
/** The event of a write may reach the Event Hub a little later than the write. */
const DELIVERY_MS = MINUTE_MS;
/** If only some events are lost, a hub is `live` again when a correction came back and none was lost for this long. */
const STABLE_MS = 20 * MINUTE_MS;
/** The same, if only heartbeats came back: a route may let them pass and drop corrections. */
const STABLE_WITHOUT_CORRECTION_MS = 60 * MINUTE_MS;
/** With fewer lost corrections than one in this many, the hub is not silent: an instance that ends may lose a count. */
const NOISE = 20;

/** The time between two heartbeats of a hub without twin change events. F1 has 8,000 messages a day, so it gets fewer. */
export function beatEveryMs(tier: Tier): number {
  return tier === 'F1' ? 60 * MINUTE_MS : 10 * MINUTE_MS;
}

/** A hub counts as live for so long after its last event: until a missing heartbeat would have shown. */
function liveForMs(tier: Tier): number {
  return beatEveryMs(tier) + LOST_AFTER_MS + 5 * MINUTE_MS;
}

export interface Observed {
  /** The last assessment. Undefined: there is none. */
  readonly before: HubLiveness | undefined;
  /** By shard: a partition of the Event Hub, or `resync`. */
  readonly evidence: ReadonlyMap<string, LivenessEvidence>;
  readonly reader: EventReader;
  readonly tier: Tier;
  readonly now: EpochMs;
}

/** A write whose event must come back. */
interface Expected {
  readonly kind: 'correction' | 'heartbeat';
  /** Its time; of a minute with corrections, the end. */
  readonly at: EpochMs;
  readonly missing: number;
  /** Everything up to this time is read, in each partition in which the event may come. */
  readonly readUpTo: EpochMs;
}

/** The state of a hub at this time. */
export function assess({ before, evidence, reader, tier, now }: Observed): HubLiveness {
  const expected = expectedOf(evidence, before?.beats, reader);
  const changedAt = newestOf([...evidence.values()].map((each) => each.changedAt));
  const came = expected.filter(({ missing }) => missing === 0);
  const echoedAt = newestOf([before?.echoedAt, ...came.map(({ at }) => at)]);
  const { loss, healedUpTo } = lossOf(expected, changedAt, before, now);
  const status = readerStatus(reader, now);
  const provenAt = newestOf([changedAt, echoedAt]);
  const found = ((): Pick<HubLiveness, 'state' | 'why'> => {
    if (status.kind !== 'reading') return { state: 'late', why: readerText(status) };
    if (loss !== undefined) return { state: 'silent', why: lossText(loss, changedAt) };
    const isUnread = expected.some((each) => isDue(each, now) && each.missing > 0 && !isRead(each));
    if (isUnread)
      return { state: 'late', why: 'Berth is behind: it has not read what came after its last writes' };
    if (provenAt !== undefined && now - provenAt < liveForMs(tier)) return { state: 'live', why: '' };
    return { state: 'quiet', why: quietText(before?.beats) };
  })();
  const isSame = before?.state === found.state;
  const since = isSame ? before.since : found.state === 'silent' ? (loss?.first ?? now) : now;
  return {
    ...found,
    since,
    watchedSince: before?.watchedSince ?? now,
    assessedAt: now,
    changedAt,
    echoedAt,
    loss,
    healedUpTo,
    silence: silenceOf(before, loss, now),
    beats: before?.beats,
  };
}

/** The silence begins with the first write that did not come back, and ends when the losses are over. */
function silenceOf(
  before: HubLiveness | undefined,
  loss: Loss | undefined,
  now: EpochMs,
): HubLiveness['silence'] {
  const last = before?.silence;
  if (loss !== undefined)
    return last !== undefined && last.until === undefined ? last : { since: loss.first, noticedAt: now };
  return last !== undefined && last.until === undefined ? { ...last, until: now } : last;
}

function expectedOf(
  evidence: Observed['evidence'],
  beats: Heartbeats | undefined,
  reader: EventReader,
): readonly Expected[] {
  const beatAt = newestOf([...evidence.values()].map((each) => each.beatAt)) ?? -1;
  const minutes = new Set([...evidence.values()].flatMap((each) => each.minutes.map(({ at }) => at)));
  const corrections = [...minutes].map((minute): Expected => {
    const shards = [...evidence].flatMap(([shard, each]) => {
      const found = each.minutes.find(({ at }) => at === minute);
      return found === undefined ? [] : [{ shard, ...found }];
    });
    const written = shards.reduce((sum, each) => sum + each.written, 0);
    const echoed = shards.reduce((sum, each) => sum + each.echoed, 0);
    // The events of what `resyncFleet` wrote come in any partition.
    const open = shards.filter((each) => each.written > each.echoed);
    const read = open.map(({ shard }) => readUpTo(reader, shard === RESYNC_SHARD ? undefined : shard));
    return {
      kind: 'correction',
      at: plus(minute, MINUTE_MS),
      missing: Math.max(0, written - echoed),
      readUpTo:
        read.length === 0 ? readUpTo(reader) : read.reduce((one, other) => (one < other ? one : other)),
    };
  });
  const heartbeats = (beats?.sent ?? []).map(
    (at): Expected => ({
      kind: 'heartbeat',
      at,
      missing: beatAt >= at ? 0 : 1,
      readUpTo: readUpTo(reader),
    }),
  );
  return [...corrections, ...heartbeats].sort((one, other) => one.at - other.at);
}

function isDue({ at }: Expected, now: EpochMs): boolean {
  return now - at >= LOST_AFTER_MS;
}

function isRead({ at, readUpTo: read }: Expected): boolean {
  return read >= plus(at, DELIVERY_MS);
}

function lossOf(
  expected: readonly Expected[],
  changedAt: EpochMs | undefined,
  before: HubLiveness | undefined,
  now: EpochMs,
): Pick<HubLiveness, 'loss' | 'healedUpTo'> {
  const healedUpTo = before?.healedUpTo;
  const open = expected.filter(({ at }) => healedUpTo === undefined || at > healedUpTo);
  const lost = open.filter((each) => each.missing > 0 && isDue(each, now) && isRead(each));
  const loss = added(before?.loss, lost, changedAt);
  if (loss === undefined) return { loss, healedUpTo };
  if (before?.loss === undefined && isNoise(loss, open, now)) return { loss: undefined, healedUpTo };
  if (!isOver(loss, expected, changedAt, now)) return { loss, healedUpTo };
  // Writes that were lost before the first event that came again belong to these losses, also if they are not due yet.
  const cameAt = newestOf(
    expected.filter(({ missing, at }) => missing === 0 && at > loss.last).map(({ at }) => at),
  );
  return { loss: undefined, healedUpTo: newestOf([loss.last, cameAt, loss.isMute ? changedAt : undefined]) };
}

/** The losses so far with what is lost now. Losses that are still in the evidence are not counted again. */
function added(
  before: Loss | undefined,
  lost: readonly Expected[],
  changedAt: EpochMs | undefined,
): Loss | undefined {
  const fresh = lost.filter(({ at }) => before === undefined || at > before.last);
  const last = fresh.at(-1)?.at ?? before?.last;
  const first = before?.first ?? fresh[0]?.at;
  if (first === undefined || last === undefined) return undefined;
  const missing = (kind: Expected['kind']) =>
    fresh.filter((each) => each.kind === kind).reduce((sum, each) => sum + each.missing, 0);
  return {
    first,
    last,
    corrections: (before?.corrections ?? 0) + missing('correction'),
    heartbeats: (before?.heartbeats ?? 0) + missing('heartbeat'),
    isMute: before?.isMute ?? (changedAt === undefined || changedAt <= last),
  };
}

function isNoise(
  { isMute, corrections, heartbeats, last }: Loss,
  open: readonly Expected[],
  now: EpochMs,
): boolean {
  const back = open.filter(
    ({ kind, missing, at }) => kind === 'correction' && missing === 0 && isDueAt(at, now),
  );
  return (
    !isMute && heartbeats === 0 && back.length >= corrections * NOISE && back.some(({ at }) => at > last)
  );
}

function isDueAt(at: EpochMs, now: EpochMs): boolean {
  return now - at >= LOST_AFTER_MS;
}

/** Whether later writes show that events arrive again. */
function isOver(
  { last, isMute, corrections }: Loss,
  expected: readonly Expected[],
  changedAt: EpochMs | undefined,
  now: EpochMs,
): boolean {
  const cameAfter = (kind?: Expected['kind']) =>
    expected.some(
      (each) => each.missing === 0 && each.at > last && (kind === undefined || each.kind === kind),
    );
  const hasChanged = changedAt !== undefined && changedAt > last;
  // Nothing came at all, so any event shows that the route works again.
  if (isMute) return hasChanged || cameAfter();
  const stableMs = now - last;
  if (corrections === 0) return cameAfter() && stableMs >= STABLE_MS;
  if (cameAfter('correction')) return stableMs >= STABLE_MS;
  return (cameAfter() || hasChanged) && stableMs >= STABLE_WITHOUT_CORRECTION_MS;
}

function lossText({ first, corrections, heartbeats, isMute }: Loss, changedAt: EpochMs | undefined): string {
  const iso = (at: EpochMs) => new Date(at).toISOString();
  const writes = [
    ...(corrections === 0 ? [] : [`${corrections} ${corrections === 1 ? 'correction' : 'corrections'}`]),
    ...(heartbeats === 0 ? [] : [`${heartbeats} ${heartbeats === 1 ? 'heartbeat' : 'heartbeats'}`]),
  ].join(' and ');
  const missing = `the events of ${writes} since ${iso(first)} have not come`;
  if (!isMute) return `${missing}, but other twin change events have: a route filters them`;
  return changedAt === undefined
    ? `${missing}, and no twin change event ever came`
    : `${missing}, and no twin change event has come since ${iso(changedAt)}`;
}

function quietText(beats: Heartbeats | undefined): string {
  switch (beats?.result) {
    case undefined:
      return 'no twin change event is expected';
    case 'missing':
      return `no heartbeat: ${beats.why ?? 'the hub has no identity berth-heartbeat. Run "berth hub prepare"'}`;
    case 'failed':
      return `no heartbeat: ${beats.why ?? 'the hub did not take it'}`;
    case 'sent':
      return 'its heartbeat has not come back yet';
  }
}

function newestOf(times: readonly (EpochMs | undefined)[]): EpochMs | undefined {
  return times.reduce<EpochMs | undefined>(
    (newest, time) => (newest === undefined || time === undefined ? (newest ?? time) : laterOf(newest, time)),
    undefined,
  );
}
