import { hubOverviews } from '../../allocation/decision/hub-overview.ts';
import { livenessOverview, livenessText, storedHub } from '../../overview/hub-liveness.ts';
import { reportedShares } from '../../overview/hub-shares.ts';
import { auditName } from '../../sync/resync/audit-progress.ts';
import { hubSyncOverview } from '../../sync/resync/sync-overview.ts';
import { dayOf } from '../../time/day.ts';
import { TWIN_STATUSES } from '../../twin/snapshot/snapshot.ts';
import { expectedText, type HubWithShares, overrideText } from '../hubs/hubs.ts';
import { pauseText } from '../policies/pause-text.ts';
import type { Cli } from '../shell/cli.ts';
import { bold, statusText } from '../shell/colors.ts';
import { knownHub } from '../shell/known.ts';
import { printable } from '../shell/printable.ts';
import { fleetInForce, openState } from '../shell/state.ts';
import { count, percent, say, sayJson, shortRevision, span, tell } from '../shell/terminal.ts';
import { sayFacts, sayTitle } from './facts.ts';

interface HubOptions {
  readonly host: string;
  readonly json: boolean;
}

/** `berth describe hub` */
export async function describeHubCommand(
  { terminal, env, now: clock }: Cli,
  { host: name, json }: HubOptions,
): Promise<number> {
  const now = clock();
  const state = openState(env);
  const fleet = await fleetInForce(state);
  const host = knownHub(
    name,
    fleet.hubs.map((each) => each.host),
    'The fleet file in force',
  );
  const [control, conditions, counted, used, statistics, audit] = await Promise.all([
    state.control.read(),
    state.conditions.read(now),
    state.twinCounts.of(host),
    state.budgets.used(dayOf(now)),
    state.statistics.recent(now),
    state.progress.read(auditName(host)),
  ]);
  const hub = fleet.hubByHost.get(host);
  const overview = hubOverviews(fleet, conditions, now).find((each) => each.host === host);
  if (hub === undefined || overview === undefined) return 1;
  const share = { ...overview.share, ...(await reportedShares(state, fleet, conditions, now))(host) };
  const liveness = livenessOverview(host, await state.liveness.read(), await storedHub(state, host), now);
  const sync = hubSyncOverview(hub, control, used, statistics);
  const pause = control.fleet ?? control.hubs[host];
  tell(terminal, `State: ${state.place}. Fleet file: revision ${shortRevision(fleet.revision)}.`);
  if (json) {
    const { tier, units, labels, budget } = hub;
    sayJson(terminal, {
      ...overview,
      share,
      tier,
      units,
      labels,
      budget,
      pause: pause ?? null,
      twins: counted.statuses,
      twinsCountedAt: counted.countedAt ?? null,
      sync,
      liveness,
      audit: audit ?? null,
    });
    return 0;
  }
  say(terminal, bold(terminal, `Hub ${host}`));
  sayFacts(terminal, [
    ['state', overview.state],
    ['region', hub.region],
    [
      'size',
      `${hub.tier}, ${hub.units} ${hub.units === 1 ? 'unit' : 'units'}, capacity ${count(hub.capacity)} devices`,
    ],
    [
      'labels',
      Object.entries(hub.labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(', '),
    ],
    ['weight', `${overview.weight}: wants ${percent(share.wanted)} of the devices`],
    ['share', shareText(share, overview.devices !== undefined)],
    [
      'devices',
      overview.devices === undefined || overview.countedAt === undefined
        ? 'not counted yet'
        : `${count(overview.devices)}, counted ${span(now - overview.countedAt)} ago`,
    ],
    ['health', overview.isHealthy ? 'healthy' : `unhealthy, ${overview.failures} failed calls`],
    ['override', overrideText(overview, now)],
    ['paused', pause === undefined ? '' : pauseText(pause, now)],
    [
      'arrival',
      `${livenessText(liveness)}${liveness.since === undefined ? '' : `, since ${span(now - liveness.since)}`}`,
    ],
    [
      'events',
      sync.untrusted === undefined
        ? 'trusted'
        : `not trusted since ${span(now - sync.untrusted.since)}: ${printable(sync.untrusted.why)}`,
    ],
  ]);
  sayTitle(
    terminal,
    counted.countedAt === undefined
      ? 'Twins, not all counted yet'
      : `Twins, counted ${span(now - counted.countedAt)} ago`,
  );
  sayFacts(
    terminal,
    TWIN_STATUSES.map((status) => [statusText(terminal, status), count(counted.statuses[status])] as const),
  );
  sayTitle(terminal, 'Sync, in this hour and the hour before');
  sayFacts(terminal, [
    ['messages today', `${count(sync.messagesToday)} of ${count(sync.messagesLimit)}`],
    [
      'events',
      `${count(sync.counts.merged)} merged, ${count(sync.counts.replayed)} replayed, ${count(sync.counts.gaps)} gaps`,
    ],
    [
      'calls',
      `${count(sync.counts.reads)} reads, ${count(sync.counts.writes)} writes, ${count(sync.counts.failed)} failed`,
    ],
  ]);
  return 0;
}

/** `actual 50 %, expected 33 ± 11 % by weights, latencies and rules` */
function shareText(share: HubWithShares['share'], isCounted: boolean): string {
  const actual = isCounted ? `actual ${percent(share.actual)}` : 'not counted yet';
  const expected =
    share.expected === null
      ? 'expected: not known, because no device has registered, or more than 500'
      : `expected ${expectedText(share)} by weights, latencies and rules`;
  return `${actual}, ${expected}`;
}
