import type { Override } from '../allocation/conditions.ts';
import { type HubOverview, hubOverviews, moveOverviews } from '../allocation/decision/hub-overview.ts';
import type { FleetStatus } from '../api/contract.ts';
import { fleetQuery, readQuery } from '../api/queries.ts';
import type { Control, Pause } from '../control/control.ts';
import { pauseOf } from '../control/pauses.ts';
import type { Fleet, Hub } from '../fleet/fleet.ts';
import type { Instance } from '../instance/instance.ts';
import type { JsonValue } from '../json/json.ts';
import { moveCounts } from '../overview/drain.ts';
import { livenessOverview, type StoredHub } from '../overview/hub-liveness.ts';
import { reportedShares } from '../overview/hub-shares.ts';
import type { CountedTwins, TwinStatusCounts } from '../store/twins/twin-count-store.ts';
import { auditName, readAudit } from '../sync/resync/audit-progress.ts';
import { type DailyExportState, readDailyExport } from '../sync/resync/daily-export.ts';
import { edgeOverview } from '../sync/resync/edge-overview.ts';
import { rolloutOverviews } from '../sync/resync/rollout-overview.ts';
import { unlessNewer } from '../sync/resync/sparing.ts';
import { hubSyncOverview, policyOverviews } from '../sync/resync/sync-overview.ts';
import { DAY_MS, dayOf } from '../time/day.ts';
import { type EpochMs, plus } from '../time/epoch-ms.ts';
import { TWIN_STATUSES } from '../twin/snapshot/snapshot.ts';
import { attentionPage } from './attention-page.ts';
import { answeringErrors, type HttpHandler, isoTime, taggedAnswer } from './http-answer.ts';
import { describeLiveness } from './liveness-answer.ts';

/** Dead letters of this many days are counted, up to `MOST_LETTERS`. */
const LETTER_DAYS = 7;
const MOST_LETTERS = 1_000;
/** How many different counts of events the answer has, the greatest first. */
const MOST_COUNTS = 100;

/**
 * The state of the fleet: hubs and their shares, policies, twins by status, and the attention list. Query: `top` (1 to 1000,
 * default 100) and `after` (from `attention.next`) page through the attention list.
 */
export function fleetStatus(instance: Instance): HttpHandler {
  return answeringErrors(async (request) => {
    const page = readQuery(fleetQuery, request.query);
    const fleet = instance.fleet.current();
    const { stores } = instance;
    const now = instance.now();
    const redaction = await instance.redaction(fleet);
    const [
      control,
      conditions,
      unknownHubs,
      unknownSources,
      onlyCounted,
      attention,
      used,
      statistics,
      deadLetters,
      exported,
      liveness,
      hubs,
    ] = await Promise.all([
      stores.control.read(),
      stores.conditions.read(now),
      stores.unknownHubs.list(),
      stores.unknownSources.list(),
      stores.letterHours.beyond(plus(now, -LETTER_DAYS * DAY_MS)),
      attentionPage(stores.twins, { ...page, hubs: fleet.hubs, redaction }),
      stores.budgets.used(dayOf(now)),
      stores.statistics.recent(now),
      countLetters(instance, now),
      unlessNewer(undefined, () => readDailyExport(stores.progress)),
      stores.liveness.read(),
      lookAt(fleet.hubs, instance),
    ]);
    const own = new Set(instance.hosts(fleet));
    const shares = await reportedShares(stores, fleet, conditions, now);
    const looked = new Map(hubs.map((found) => [found.hub.host, found]));
    const describe = ({
      overrides,
      countedAt,
      devices,
      isHealthy,
      share,
      ...overview
    }: HubOverview): FleetStatus['hubs'][number] => {
      const { hub, counted, audit } = looked.get(overview.host) ?? {};
      return {
        ...overview,
        share: { ...share, ...shares(overview.host) },
        devices: devices ?? null,
        countedAt: isoTime(countedAt),
        health: isHealthy ? 'healthy' : 'unhealthy',
        writes: pauseOf(control, overview.host) === undefined ? 'on' : 'paused',
        pause: describePause(control.hubs[overview.host]),
        twins: counted?.statuses,
        twinsCountedAt: isoTime(counted?.countedAt),
        sync: hub === undefined ? null : describeSync(hub, control, used, statistics),
        liveness: own.has(overview.host)
          ? describeLiveness(livenessOverview(overview.host, liveness, storedHub(counted, audit), now))
          : null,
        audit: audit ?? null,
        moveRequests: moveCounts(fleet, control, overview.host, counted) ?? null,
        overrides: { state: describeOverride(overrides.state), weight: describeOverride(overrides.weight) },
      };
    };
    return taggedAnswer<FleetStatus>(request, {
      revision: fleet.revision,
      // If they differ, an older package answers. It does not reconcile twins.
      build: { running: instance.build, newest: control.newestBuild || null },
      problems: instance.fleet.problems,
      writes: control.fleet === undefined ? 'on' : 'paused',
      pause: describePause(control.fleet),
      pausedPolicies: Object.keys(control.policies),
      hubs: hubOverviews(fleet, conditions, now).map(describe),
      policies: describePolicies(fleet, control, looked, now),
      rollouts: describeRollouts(fleet, control, looked, now),
      edge: describeEdgeDevices(fleet, control, looked, now),
      moves: moveOverviews(fleet, conditions, now).map((move) => ({ ...move, since: isoTime(move.since) })),
      twins: addUp(hubs.map(({ counted }) => counted.statuses)),
      attention,
      unknownHubs: unknownHubs.slice(0, MOST_COUNTS),
      unknownSources: unknownSources.slice(0, MOST_COUNTS),
      deadLetters,
      onlyCounted: {
        events: onlyCounted.reduce((sum, { events }) => sum + events, 0),
        counts: onlyCounted.slice(0, MOST_COUNTS),
      },
      stateExport: describeExport(exported),
    });
  });
}

interface Looked {
  readonly hub: Hub;
  readonly counted: CountedTwins;
  readonly audit: JsonValue | undefined;
}

async function lookAt(hubs: readonly Hub[], { stores }: Instance): Promise<readonly Looked[]> {
  const [counts, audits] = await Promise.all([
    stores.twinCounts.read(hubs.map(({ host }) => host)),
    Promise.all(hubs.map(({ host }) => stores.progress.read(auditName(host)))),
  ]);
  return hubs.flatMap((hub, index) => {
    const counted = counts.get(hub.host);
    return counted === undefined ? [] : [{ hub, counted, audit: audits[index] }];
  });
}

function describeSync(...facts: Parameters<typeof hubSyncOverview>): FleetStatus['hubs'][number]['sync'] {
  const { gapRate, untrusted, ...rest } = hubSyncOverview(...facts);
  return {
    ...rest,
    gapRate: gapRate ?? null,
    trust: untrusted === undefined ? 'events' : 'read',
    untrusted: untrusted === undefined ? null : { ...untrusted, since: isoTime(untrusted.since) },
  };
}

function storedHub(counted: CountedTwins | undefined, audit: JsonValue | undefined): StoredHub {
  const twins = Object.values(counted?.statuses ?? {}).reduce((sum, count) => sum + count, 0);
  return { audit: readAudit(audit), twins };
}

function describePolicies(fleet: Fleet, control: Control, looked: ReadonlyMap<string, Looked>, now: EpochMs) {
  const counted = new Map([...looked.values()].map((found) => [found.hub.host, found.counted]));
  return policyOverviews(fleet, control, counted, now).map(({ since, pause, ...policy }) => ({
    ...policy,
    since: isoTime(since),
    pause: describePause(pause),
  }));
}

/** The rollouts in stages. Only hubs of this deployment have counts. */
function describeRollouts(
  fleet: Fleet,
  control: Control,
  looked: ReadonlyMap<string, Looked>,
  now: EpochMs,
): FleetStatus['rollouts'] {
  const counted = new Map([...looked.values()].map((found) => [found.hub.host, found.counted]));
  return rolloutOverviews(fleet, control, counted, now).map(({ content: _, ...overview }) => {
    const { stage, waitsFor, gateWaits, approvable, pause, end, approvals, stages } = overview;
    return {
      ...overview,
      stage: stage === undefined ? null : { ...stage, since: isoTime(stage.since) },
      waitsFor: waitsFor ?? null,
      gateWaits: gateWaits ?? null,
      approvable: approvable ?? null,
      pause: pause === undefined ? null : { ...pause, at: isoTime(pause.at) },
      end:
        end === undefined
          ? null
          : { kind: end.kind, author: end.author, reason: end.reason, at: isoTime(end.at) },
      approvals: approvals.map((approval) => ({ ...approval, at: isoTime(approval.at) })),
      stages: stages.map((each) => ({ ...each, where: each.where ?? null, endsAt: isoTime(each.endsAt) })),
    };
  });
}

function describeEdgeDevices(
  fleet: Fleet,
  control: Control,
  looked: ReadonlyMap<string, Looked>,
  now: EpochMs,
): FleetStatus['edge'] {
  const counted = new Map([...looked.values()].map((found) => [found.hub.host, found.counted]));
  const overview = edgeOverview(fleet, control, counted, now);
  if (overview === undefined) return null;
  return {
    devices: overview.devices,
    deployments: overview.deployments.map(({ since, stage, pause, ...deployment }) => ({
      ...deployment,
      since: isoTime(since),
      stage: stage ?? null,
      pause: describePause(pause),
    })),
  };
}

function describePause(pause: Pause | undefined) {
  return pause === undefined ? null : { ...pause, at: isoTime(pause.at) };
}

function describeOverride<Value>(override: Override<Value> | undefined) {
  return override === undefined ? null : { ...override, expiresAt: isoTime(override.expiresAt) };
}

/** Counts from the start of a day, because only the keys are read, and they contain the day. */
async function countLetters({ stores }: Instance, now: EpochMs) {
  const since = plus(now, -LETTER_DAYS * DAY_MS);
  return {
    since: dayOf(since),
    ...(await stores.deadLetters.count(since, MOST_LETTERS)),
  };
}

function describeExport(exported: DailyExportState | undefined): FleetStatus['stateExport'] {
  const { at, blob, bytes, damaged = 0, failed } = exported ?? {};
  return {
    lastAt: isoTime(at),
    blob: blob ?? null,
    bytes: bytes ?? null,
    damaged,
    failedAt: isoTime(failed?.at),
    why: failed?.why ?? null,
  };
}

function addUp(counts: readonly TwinStatusCounts[]): TwinStatusCounts {
  return Object.fromEntries(
    TWIN_STATUSES.map((status) => [status, counts.reduce((sum, count) => sum + count[status], 0)]),
  ) as unknown as TwinStatusCounts;
}
