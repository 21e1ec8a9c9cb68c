import { limitFunction } from 'p-limit';
import * as z from 'zod';
import type { Hub } from '../../fleet/fleet.ts';
import { HubError, type HubErrorCode, type ListedTwin, type TwinKind } from '../../hub/port.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import { hash } from '../../json/hash.ts';
import { partitionsOf } from '../../store/tables/keys.ts';
import { isNewer } from '../../store/twins/twin-store.ts';
import { DAY_MS } from '../../time/day.ts';
import { EPOCH, type EpochMs, laterOf, plus } from '../../time/epoch-ms.ts';
import { epochMsSchema } from '../../time/epoch-ms-schema.ts';
import { type Instant, instantOf, latestBelievable, millisecondsOf, NEVER } from '../../time/instant.ts';
import type { Known } from '../../twin/events/apply-event.ts';
import { isTargetedModule } from '../../twin/events/event.ts';
import type { Mark } from '../../twin/events/mark.ts';
import { sameBesidesRedacted } from '../../twin/events/redact.ts';
import type { Snapshot } from '../../twin/snapshot/snapshot.ts';
import type { TwinId } from '../../twin/snapshot/twin.ts';
import { markForRead } from '../reconcile/mark-for-read.ts';
import type { MayGoOn, ResyncContext } from './resync-context.ts';
import { unlessNewer } from './sparing.ts';
import { type SampleComparison, whyUntrusted } from './trust.ts';

/** How often a hub is audited without being asked to be. */
const AUDIT_EVERY_MS = 7 * DAY_MS;
/**
 * Results of queries may be minutes old (iot-hub-devguide-query-language), so of a twin that has changed lately they
 * prove nothing.
 */
const QUERY_LAG_MS = 30 * 60_000;
/** One twin in so many is compared with what the hub has. */
const SAMPLE = 100;
const PAGE = 200;
/** By then every instance goes by the newest package: it reads the control row every 30 s, and a batch takes 20 s. */
const SETTLED_MS = 60_000;
const CONCURRENCY = 16;

const progressSchema = z.object({
  startedAt: epochMsSchema,
  phase: z.enum(['mark', 'sweep', 'devices', 'modules', 'done']),
  /** Everything that is known of the hub is old, and not only what is known of the new modules. */
  isWhole: z.boolean().default(true),
  /** `mark` and `sweep`: `partition/row key`; else the hub's continuation token; empty: the beginning. */
  at: z.string(),
  seen: z.number(),
  /** Twins that were not known. */
  missed: z.number(),
  /** Twins that had other versions. */
  stale: z.number(),
  sampled: z.number(),
  mismatched: z.number(),
  /** Modules that were not targeted before: their events were passed over, so what is known of them is old. */
  newModules: z.array(z.string()).default([]),
  /** Modules that have been targeted since then are to be looked for. */
  modulesAt: epochMsSchema.default(EPOCH),
});

/** How far the audit of a hub has come, and what it has found. */
export type AuditProgress = z.output<typeof progressSchema>;

const requestSchema = z.object({ at: epochMsSchema, author: z.string(), reason: z.string() });

/** That a person wants every twin of a hub to be read again. */
export type ResyncRequest = z.output<typeof requestSchema>;

export function auditName(host: HostName): string {
  return `audit|${host}`;
}

export function requestName(host: HostName): string {
  return `resync|${host}`;
}

/**
 * Looks for twins that events have missed: lists all twins of each hub, page by page, once a week or when a person asks
 * for it, and compares a few of them whole. Answers how many twins were seen.
 */
export async function auditHubs(context: ResyncContext, mayGoOn: MayGoOn): Promise<number> {
  const seen = await Promise.all(
    context.hosts.map(async (host) => {
      const hub = context.fleet.hubByHost.get(host);
      return hub === undefined ? 0 : unlessNewer(0, () => auditHub(hub, context, mayGoOn));
    }),
  );
  return seen.reduce((sum, count) => sum + count, 0);
}

async function auditHub(hub: Hub, context: ResyncContext, mayGoOn: MayGoOn): Promise<number> {
  const { progress, gate, warn } = context;
  const { host } = hub;
  const { at: start, isChanged } = await startOf(host, context);
  let at = start;
  const before = at.seen;
  if (isChanged) await progress.write(auditName(host), at);
  try {
    while (at.phase !== 'done' && mayGoOn()) {
      if ((await gate.current()).closedFor(host) !== undefined) break;
      const next = await step(hub, at, context);
      if (next === undefined) break;
      at = next;
      await progress.write(auditName(host), at);
      if (at.phase === 'done') await finish(hub, at, context);
    }
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    // The hub does not know this place in its list any more, as after a failover: the next run begins the list anew.
    if (error.code === 'BERTH_HUB_REFUSED' && at.at !== '')
      await progress.write(auditName(host), { ...at, at: '' });
    warn(`The audit of ${host} has stopped and continues in a later run: ${error.message}`, {
      code: error.code,
      hub: host,
    });
  }
  return at.seen - before;
}

/** Goes on, or begins anew where it is time, a person has asked for it, or modules are wanted that were not before. */
async function startOf(
  host: HostName,
  context: ResyncContext,
): Promise<{ readonly at: AuditProgress; readonly isChanged: boolean }> {
  const stored = progressSchema.safeParse(await context.progress.read(auditName(host)));
  const last = stored.success ? stored.data : undefined;
  const at = await nextOf(host, last, context);
  return { at, isChanged: at !== last };
}

async function nextOf(
  host: HostName,
  last: AuditProgress | undefined,
  { progress, control, now }: ResyncContext,
): Promise<AuditProgress> {
  const request = requestSchema.safeParse(await progress.read(requestName(host)));
  const isAsked = request.success && (last === undefined || request.data.at > last.startedAt);
  // Instances of an older package pass the events of new modules over for a while.
  const modulesAt = plus(now(), -SETTLED_MS);
  const newModules = Object.entries((await control.read()).modules)
    .filter(([, since]) => since > (last?.modulesAt ?? 0) && since <= modulesAt)
    .map(([name]) => name);
  const fresh = {
    // The clock of who asks may be ahead; the same request must not begin an audit again and again.
    startedAt: request.success ? laterOf(now(), request.data.at) : now(),
    at: '',
    seen: 0,
    missed: 0,
    stale: 0,
    sampled: 0,
    mismatched: 0,
    newModules,
    modulesAt,
    isWhole: isAsked,
  };
  if (isAsked) return { ...fresh, phase: 'mark' };
  if (last === undefined) return { ...fresh, phase: 'devices' };
  if (last.phase === 'done' && now() - last.startedAt >= AUDIT_EVERY_MS)
    return { ...fresh, phase: 'devices' };
  if (newModules.length === 0) return last;
  const all = [...new Set([...last.newModules, ...newModules])];
  // One that has not come to the modules yet will; what it passes over before, the next one marks.
  return last.phase === 'mark' || last.phase === 'devices'
    ? last
    : { ...fresh, startedAt: last.startedAt, phase: 'mark', newModules: all };
}

/** One page. Undefined: there is no permit for it now. */
async function step(hub: Hub, at: AuditProgress, context: ResyncContext): Promise<AuditProgress | undefined> {
  switch (at.phase) {
    case 'mark':
      return markPage(hub.host, at, context);
    case 'sweep':
      return sweepPage(hub.host, at, context);
    case 'devices':
    case 'modules':
      return listPage(hub, at.phase, at, context);
    case 'done':
      return at;
  }
}

/**
 * What is known of the hub's twins is old, and is read again: all of it where a person says so, as after a failover;
 * or that of modules whose events were passed over.
 */
async function markPage(host: HostName, at: AuditProgress, context: ResyncContext): Promise<AuditProgress> {
  const { twins, hubNow } = context;
  const place = placeOf(host, at);
  if (place === undefined) return { ...at, phase: at.isWhole ? 'sweep' : 'modules', at: '' };
  const page = await twins.page(place.partition, place.after, PAGE);
  await Promise.all(
    page.map(
      limitFunction(
        async (twin: (typeof page)[number]) => {
          if (isNewer(twin)) return;
          const { id, known } = twin;
          const mark = at.isWhole ? wholeMark(known, hubNow()) : moduleMark(id, known, at);
          if (mark === undefined) return;
          const now = hubNow();
          await unlessNewer('left', () => markForRead(twins, id, { ...mark, priority: 'resync', now }));
        },
        { concurrency: CONCURRENCY },
      ),
    ),
  );
  return nextPlace(at, place.index, page);
}

/** Deletions are believed, but for those that no clock can have written yet: they would outlast every twin to come. */
function wholeMark(known: Known, now: EpochMs): Pick<Mark, 'since' | 'why' | 'isResync'> | undefined {
  const why = 'every twin of its hub is read again';
  if (known.kind === 'deleted' && known.at <= latestBelievable(instantOf(now))) return undefined;
  return known.kind === 'nothing' ? undefined : { since: NEVER, why, isResync: true };
}

function moduleMark(
  { moduleId = '' }: TwinId,
  known: Known,
  { newModules }: AuditProgress,
): Pick<Mark, 'since' | 'why'> | undefined {
  if (known.kind !== 'snapshot' || !newModules.includes(moduleId)) return undefined;
  return { since: known.snapshot.asOf, why: 'its module was not targeted before' };
}

/** Rows of work, attention and deletions that no twin knows of any more are removed. */
async function sweepPage(
  host: HostName,
  at: AuditProgress,
  { twins }: ResyncContext,
): Promise<AuditProgress> {
  const place = placeOf(host, at);
  if (place === undefined) return { ...at, phase: 'devices', at: '' };
  return nextPlace(at, place.index, await twins.sweep(place.partition, place.after, PAGE));
}

/** Where a phase that goes through the tables has come to; undefined: to the end. */
function placeOf(host: HostName, { at }: AuditProgress) {
  const [index = '0', ...row] = at === '' ? ['0'] : at.split('/');
  const partition = partitionsOf(host)[Number(index)];
  const after = row.join('/');
  return partition === undefined
    ? undefined
    : { index: Number(index), partition, after: after === '' ? undefined : after };
}

function nextPlace(
  at: AuditProgress,
  index: number,
  page: readonly { readonly rowKey: string }[],
): AuditProgress {
  const last = page.at(-1);
  const isFull = page.length === PAGE && last !== undefined;
  return { ...at, at: isFull ? `${index}/${last.rowKey}` : `${index + 1}/` };
}

async function listPage(
  hub: Hub,
  of: TwinKind,
  at: AuditProgress,
  context: ResyncContext,
): Promise<AuditProgress | undefined> {
  const { hubs, fleet } = context;
  const page = await hubs.listTwins(hub.host, of, at.at === '' ? undefined : at.at);
  // What cannot be asked in this run is asked in a later one.
  if (page.kind === 'noPermit') return undefined;
  const { twins: listed, continuation, readAt = instantOf(context.now()) } = page.answer;
  let next = at;
  for (const twin of listed) {
    const before = next;
    next = await unlessNewer({ ...before, seen: before.seen + 1 }, () =>
      compareTwin(hub, twin, readAt, before, context),
    );
  }
  if (continuation !== undefined) return { ...next, at: continuation };
  const hasModules = of === 'devices' && fleet.twins.policies.some(({ module }) => module !== undefined);
  return { ...next, phase: hasModules ? 'modules' : 'done', at: '' };
}

/** @param readAt the hub's clock: with another one, an hour's difference would cost a read of every twin. */
async function compareTwin(
  hub: Hub,
  { id, version }: ListedTwin,
  readAt: Instant,
  at: AuditProgress,
  context: ResyncContext,
): Promise<AuditProgress> {
  const { twins, fleet, hubNow } = context;
  if (id.moduleId !== undefined && !isTargetedModule(id.moduleId, fleet.twins.policies)) return at;
  const { known } = await twins.load(id);
  const next = { ...at, seen: at.seen + 1 };
  const read = (since: Instant, why: string, isResync = false) =>
    markForRead(twins, id, { since, why, priority: 'resync', now: hubNow(), isResync });
  const isRecent = (time: Instant) => millisecondsOf(readAt) - millisecondsOf(time) < QUERY_LAG_MS;
  const isBelieved = (time: Instant) => time <= latestBelievable(readAt);
  switch (known.kind) {
    case 'nothing':
      await read(NEVER, 'the audit found a twin that was not known');
      return { ...next, missed: next.missed + 1 };
    case 'deleted':
      // A person who asks for everything wants also what was deleted a moment ago to be looked at.
      if (!at.isWhole && isBelieved(known.at) && isRecent(known.at)) return next;
      await read(known.at, 'the audit found a twin that was stored as deleted', true);
      return { ...next, missed: next.missed + 1 };
    case 'snapshot': {
      const { snapshot } = known;
      if (!isBelieved(snapshot.asOf) || !isBelieved(snapshot.bornAt)) {
        await read(NEVER, 'its stored time was in the future', true);
        return { ...next, stale: next.stale + 1 };
      }
      if (snapshot.unread !== undefined) return next;
      if (snapshot.version !== version) {
        if (isRecent(snapshot.asOf)) return next;
        await read(
          snapshot.asOf,
          `the audit found version ${version}, and version ${snapshot.version} was stored`,
        );
        return { ...next, stale: next.stale + 1 };
      }
      const isSampled = hash(id.deviceId, String(at.startedAt)) % SAMPLE === 0;
      if (!isSampled) return next;
      const same = await compare(hub, id, snapshot, context);
      if (same === undefined) return next;
      if (!same) await read(snapshot.asOf, 'the audit found other values on the hub');
      return {
        ...next,
        sampled: next.sampled + 1,
        mismatched: next.mismatched + (same ? 0 : 1),
      };
    }
  }
}

/** They say nothing of the next twin. */
const OF_ONE_TWIN: ReadonlySet<HubErrorCode> = new Set(['BERTH_HUB_NOT_FOUND', 'BERTH_HUB_REFUSED']);

/** Whether a snapshot is what the hub has; undefined: that cannot be said now. */
async function compare(
  hub: Hub,
  id: TwinId,
  snapshot: Snapshot,
  { hubs, count, warn }: ResyncContext,
): Promise<boolean | undefined> {
  try {
    const read = await hubs.readTwin(id);
    if (read.kind === 'noPermit') return undefined;
    const twin = read.answer;
    if (twin.version !== snapshot.version) return undefined;
    const isSame =
      sameBesidesRedacted(twin.tags, snapshot.tags) &&
      sameBesidesRedacted(twin.desired.values, snapshot.desired) &&
      sameBesidesRedacted(twin.reported.values, snapshot.reported);
    count(hub.host, 'sampled');
    if (isSame) return true;
    count(hub.host, 'mismatched');
    warn('A snapshot differs from the twin on its hub.', {
      code: 'BERTH_SNAPSHOT_MISMATCH',
      hub: hub.host,
      deviceId: id.deviceId,
    });
    return false;
  } catch (error) {
    if (error instanceof HubError && OF_ONE_TWIN.has(error.code)) return undefined;
    throw error;
  }
}

/** What the audit has found says whether the hub's events can be trusted. */
async function finish(
  { host }: Hub,
  found: SampleComparison & Pick<AuditProgress, 'startedAt'>,
  { control, progress, now, warn }: ResyncContext,
): Promise<void> {
  const why = whyUntrusted(found);
  if (why === undefined) return;
  const request = requestSchema.safeParse(await progress.read(requestName(host)));
  // Somebody has had everything read again since: what was found before that is old.
  if (request.success && request.data.at > found.startedAt) return;
  await control.update((row) =>
    host in row.untrusted ? row : { ...row, untrusted: { ...row.untrusted, [host]: { since: now(), why } } },
  );
  warn(`The events of ${host} are not trusted any more: ${why}.`, {
    code: 'BERTH_HUB_UNTRUSTED',
    hub: host,
  });
}
