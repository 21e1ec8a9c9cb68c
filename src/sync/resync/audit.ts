import { limitFunction } from 'p-limit';
import type { Hub } from '../../fleet/fleet.ts';
import type { NoPermit } from '../../hub/budget.ts';
import { HubError, type HubErrorCode, type ListedTwin, type TwinKind } from '../../hub/port.ts';
import { HEARTBEAT_DEVICE } from '../../iot-hub/heartbeat-device.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import { hash } from '../../json/hash.ts';
import type { HubLiveness } from '../../liveness/liveness.ts';
import { NONE_KEPT_OUT } from '../../store/state/kept-out-devices.ts';
import { partitionsOf } from '../../store/tables/keys.ts';
import { isNewer } from '../../store/twins/twin-store.ts';
import { DAY_MS } from '../../time/day.ts';
import { type EpochMs, laterOf, plus } from '../../time/epoch-ms.ts';
import { type Instant, instantOf, latestBelievable, millisecondsOf, NEVER } from '../../time/instant.ts';
import type { Known } from '../../twin/events/apply-event.ts';
import { modulesFollowed } from '../../twin/events/event.ts';
import type { Mark } from '../../twin/events/mark.ts';
import { sameBesidesRedacted } from '../../twin/events/redact.ts';
import type { Snapshot } from '../../twin/snapshot/snapshot.ts';
import type { TwinId } from '../../twin/snapshot/twin.ts';
import { markForRead } from '../reconcile/mark-for-read.ts';
import { allEnded } from './all-ended.ts';
import { type AuditProgress, auditName, readAudit, requestName, requestSchema } from './audit-progress.ts';
import type { MayGoOn, ResyncContext } from './resync-context.ts';
import { QUERY_LAG_MS, silenceAuditDue } from './silence-audit.ts';
import { unlessNewer } from './sparing.ts';
import { type SampleComparison, whyUntrusted } from './trust.ts';
import type { FleetLiveness } from './watch-liveness.ts';

/** How often a hub is audited without a request. */
const AUDIT_EVERY_MS = 7 * DAY_MS;
/** One of this many twins is compared in full with the hub. */
const SAMPLE = 100;
const PAGE = 200;
/** After this time, every instance uses the new control row: it is read every 30 s, and a batch takes 20 s. */
const SETTLED_MS = 60_000;
const CONCURRENCY = 16;

/** What a run knows of the hubs before it audits them. */
export interface AuditedHubs {
  /** Hubs that said in this run that they have no devices. */
  readonly withoutDevices: ReadonlySet<HostName>;
  readonly liveness: FleetLiveness;
}

/**
 * Looks for twins whose events Berth has missed. It lists all twins of each hub, page by page: once a week, on request, and
 * again and again while a hub is silent. It compares a sample of them in full.
 *
 * @returns how many twins were listed.
 */
export async function auditHubs(
  context: ResyncContext,
  mayGoOn: MayGoOn,
  { withoutDevices, liveness }: AuditedHubs,
): Promise<number> {
  const seen = await allEnded(
    context.hosts.map(async (host) => {
      const hub = context.fleet.hubByHost.get(host);
      return hub === undefined
        ? 0
        : unlessNewer(0, () =>
            auditHub(hub, context, mayGoOn, {
              hasNoDevices: withoutDevices.has(host),
              liveness: liveness.get(host),
            }),
          );
    }),
  );
  return seen.reduce((sum, count) => sum + count, 0);
}

interface KnownOfHub {
  readonly hasNoDevices: boolean;
  readonly liveness: HubLiveness | undefined;
}

async function auditHub(
  hub: Hub,
  context: ResyncContext,
  mayGoOn: MayGoOn,
  known: KnownOfHub,
): Promise<number> {
  const { progress, gate, warn } = context;
  const { host } = hub;
  const { at: start, isChanged } = await startOf(hub, context, known);
  if (start === undefined) return 0;
  let at = start;
  const before = at.seen;
  if (isChanged) await progress.write(auditName(host), at);
  try {
    while (at.phase !== 'done' && mayGoOn()) {
      if ((await gate.current()).closedFor(host) !== undefined) break;
      const next = await step(hub, at, context, known.liveness?.state === 'silent');
      if (next.kind === 'noPermit') {
        const waits = next.isQuota ? { since: at.waits?.since ?? context.hubNow(), why: next.why } : null;
        if (waits?.why !== at.waits?.why) await progress.write(auditName(host), { ...at, waits });
        break;
      }
      at = { ...next.at, waits: null };
      await progress.write(auditName(host), at);
      if (at.phase === 'done') await finish(hub, at, context);
    }
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    // The hub no longer accepts the continuation token, as after a failover. The next run starts the list again.
    if (error.code === 'BERTH_HUB_REFUSED' && at.at !== '')
      await progress.write(auditName(host), { ...at, at: '' });
    warn(`The audit of ${host} has stopped and continues in a later run: ${error.message}`, {
      code: error.code,
      hub: host,
    });
  }
  return at.seen - before;
}

/** Where the audit continues. A new one starts after a week, on request, or for modules that were not targeted before. */
async function startOf(
  hub: Hub,
  context: ResyncContext,
  known: KnownOfHub,
): Promise<{ readonly at: AuditProgress | undefined; readonly isChanged: boolean }> {
  const last = readAudit(await context.progress.read(auditName(hub.host)));
  const at = await nextOf(hub, last, context, known);
  return { at, isChanged: at !== last };
}

async function nextOf(
  { host, tier }: Hub,
  last: AuditProgress | undefined,
  context: ResyncContext,
  { hasNoDevices, liveness }: KnownOfHub,
): Promise<AuditProgress | undefined> {
  const { progress, control, now, hubNow } = context;
  const request = requestSchema.safeParse(await progress.read(requestName(host)));
  const isAsked = request.success && (last === undefined || request.data.at > last.startedAt);
  // For a while, instances of an older package may still ignore the events of new modules.
  const modulesAt = plus(now(), -SETTLED_MS);
  const newModules = Object.entries((await control.read()).modules)
    .filter(([, since]) => since > (last?.modulesAt ?? 0) && since <= modulesAt)
    .map(([name]) => name);
  const fresh = {
    // The operator's clock may be ahead. The same request must not start the audit again and again.
    startedAt: request.success ? laterOf(hubNow(), request.data.at) : hubNow(),
    at: '',
    seen: 0,
    missed: 0,
    stale: 0,
    sampled: 0,
    mismatched: 0,
    newModules,
    modulesAt,
    isWhole: isAsked,
    lastDone: doneBefore(last),
    waits: null,
  };
  if (isAsked) return { ...fresh, phase: 'mark' };
  // While Berth is behind, its snapshots are old, and the twins need no read: their events are still to come.
  if (liveness?.state === 'late' && (last === undefined || last.phase === 'done')) return last;
  if (last === undefined) {
    // The twins of later devices come as events. A query would wait for its permit, and other work for the query.
    const isEmpty = hasNoDevices && (await hasNoTwins(host, context));
    return { ...fresh, phase: isEmpty ? 'done' : 'devices' };
  }
  const isDue =
    now() - last.startedAt >= AUDIT_EVERY_MS || silenceAuditDue(liveness, last.startedAt, tier, hubNow());
  if (last.phase === 'done' && isDue) return { ...fresh, phase: 'devices' };
  if (newModules.length === 0) return last;
  const all = [...new Set([...last.newModules, ...newModules])];
  // An audit in these phases has not listed the modules yet. The next audit marks the new ones.
  return last.phase === 'mark' || last.phase === 'devices'
    ? last
    : { ...fresh, startedAt: last.startedAt, phase: 'mark', newModules: all };
}

function doneBefore(last: AuditProgress | undefined): AuditProgress['lastDone'] {
  if (last?.phase !== 'done') return last?.lastDone ?? null;
  return { startedAt: last.startedAt, seen: last.seen };
}

/** Whether no twin of a hub is stored, deleted ones included. */
async function hasNoTwins(host: HostName, { twins }: ResyncContext): Promise<boolean> {
  const pages = await Promise.all(partitionsOf(host).map((partition) => twins.page(partition, undefined, 1)));
  return pages.every((page) => page.length === 0);
}

/** The progress after one page, or no permit for it now. */
type Stepped = { readonly kind: 'stepped'; readonly at: AuditProgress } | NoPermit;

async function step(
  hub: Hub,
  at: AuditProgress,
  context: ResyncContext,
  isSilent: boolean,
): Promise<Stepped> {
  switch (at.phase) {
    case 'mark':
      return { kind: 'stepped', at: await markPage(hub.host, at, context) };
    case 'sweep':
      return { kind: 'stepped', at: await sweepPage(hub.host, at, context) };
    case 'devices':
    case 'modules':
      return listPage(hub, at.phase, at, context, isSilent);
    case 'done':
      return { kind: 'stepped', at };
  }
}

/**
 * Marks stored twins to be read again: all twins of the hub on request, as after a failover, or those of modules whose
 * events were ignored.
 */
async function markPage(host: HostName, at: AuditProgress, context: ResyncContext): Promise<AuditProgress> {
  const { twins, hubNow, wait } = context;
  const place = placeOf(host, at);
  if (place === undefined) return { ...at, phase: at.isWhole ? 'sweep' : 'modules', at: '' };
  const page = await twins.page(place.partition, place.after, PAGE);
  await allEnded(
    page.map(
      limitFunction(
        async (twin: (typeof page)[number]) => {
          if (isNewer(twin)) return;
          const { id, known } = twin;
          const mark = at.isWhole ? wholeMark(known, hubNow()) : moduleMark(id, known, at);
          if (mark === undefined) return;
          const now = hubNow();
          await unlessNewer('left', () => markForRead(twins, id, { ...mark, priority: 'resync', now, wait }));
        },
        { concurrency: CONCURRENCY },
      ),
    ),
  );
  return nextPlace(at, place.index, page);
}

/** A deletion is believed, unless its time is in the future. Such a deletion would hide every later twin of this id. */
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

/** Removes rows of work items, attention and deletions that belong to no stored twin. */
async function sweepPage(
  host: HostName,
  at: AuditProgress,
  { twins }: ResyncContext,
): Promise<AuditProgress> {
  const place = placeOf(host, at);
  if (place === undefined) return { ...at, phase: 'devices', at: '' };
  return nextPlace(at, place.index, await twins.sweep(place.partition, place.after, PAGE));
}

/** The present place of a phase that visits the tables. Undefined: the end. */
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
  isSilent: boolean,
): Promise<Stepped> {
  const { hubs, fleet } = context;
  const page = await hubs.listTwins(hub.host, of, at.at === '' ? undefined : at.at);
  // Without a permit, a later run continues.
  if (page.kind === 'noPermit') return page;
  const { twins: listed, continuation, readAt = instantOf(context.now()) } = page.answer;
  let next = at;
  for (const twin of listed) {
    const before = next;
    next = await unlessNewer({ ...before, seen: before.seen + 1 }, () =>
      compareTwin(hub, twin, { readAt, isSilent }, before, context),
    );
  }
  if (continuation !== undefined) return { kind: 'stepped', at: { ...next, at: continuation } };
  const hasModules = of === 'devices' && modulesFollowed(fleet).size > 0;
  return { kind: 'stepped', at: { ...next, phase: hasModules ? 'modules' : 'done', at: '' } };
}

interface Listing {
  /** The hub's clock. With a clock that is an hour wrong, every twin would be read. */
  readonly readAt: Instant;
  /** The events of the hub do not arrive. */
  readonly isSilent: boolean;
}

async function compareTwin(
  hub: Hub,
  { id, version }: ListedTwin,
  { readAt, isSilent }: Listing,
  at: AuditProgress,
  context: ResyncContext,
): Promise<AuditProgress> {
  const { twins, fleet, hubNow, wait, isKeptOut = NONE_KEPT_OUT } = context;
  if (id.deviceId === HEARTBEAT_DEVICE) return at;
  if (isKeptOut(id.deviceId)) return { ...at, seen: at.seen + 1 };
  if (id.moduleId !== undefined && !modulesFollowed(fleet).has(id.moduleId)) return at;
  const { known } = await twins.load(id);
  const next = { ...at, seen: at.seen + 1 };
  const read = (since: Instant, why: string, isResync = false) =>
    markForRead(twins, id, { since, why, priority: 'resync', now: hubNow(), isResync, wait });
  // The list proves nothing about a twin that has changed lately.
  const isRecent = (time: Instant) => millisecondsOf(readAt) - millisecondsOf(time) < QUERY_LAG_MS;
  const isBelieved = (time: Instant) => time <= latestBelievable(readAt);
  switch (known.kind) {
    case 'nothing':
      await read(NEVER, 'the audit found a twin that was not known');
      return { ...next, missed: next.missed + 1 };
    case 'deleted':
      // An audit on request also reads twins that were deleted recently.
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
        // A list that is old has lower versions. A higher one is a change whose event will not come.
        const isMissed = isSilent && version > snapshot.version;
        if (isRecent(snapshot.asOf) && !isMissed) return next;
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

/**
 * Errors that may concern one twin only. The same twins are compared until the audit is done, so they must not stop it. If the hub is
 * unavailable, it does not answer the query of the next page either.
 */
const OF_ONE_TWIN: ReadonlySet<HubErrorCode> = new Set([
  'BERTH_HUB_NOT_FOUND',
  'BERTH_HUB_REFUSED',
  'BERTH_HUB_UNAVAILABLE',
]);

/** Whether a snapshot is equal to the twin on the hub. Undefined: not known now. */
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

/** Decides from the results of the audit whether the hub's events can be trusted. */
async function finish(
  { host }: Hub,
  found: SampleComparison & Pick<AuditProgress, 'startedAt'>,
  { control, progress, now, warn }: ResyncContext,
): Promise<void> {
  const why = whyUntrusted(found);
  if (why === undefined) return;
  const request = requestSchema.safeParse(await progress.read(requestName(host)));
  // After a newer request of an operator, the results of this audit are old.
  if (request.success && request.data.at > found.startedAt) return;
  await control.update((row) =>
    host in row.untrusted ? row : { ...row, untrusted: { ...row.untrusted, [host]: { since: now(), why } } },
  );
  warn(`The events of ${host} are not trusted any more: ${why}.`, {
    code: 'BERTH_HUB_UNTRUSTED',
    hub: host,
  });
}
