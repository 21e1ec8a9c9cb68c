import { hubOverviews, moveOverviews } from '../../allocation/decision/hub-overview.ts';
import { reportedShares } from '../../overview/hub-shares.ts';
import { policyOverviews } from '../../sync/resync/sync-overview.ts';
import { DAY_MS } from '../../time/day.ts';
import { plus } from '../../time/epoch-ms.ts';
import { TWIN_STATUSES } from '../../twin/snapshot/snapshot.ts';
import { expectedText, moveText } from '../hubs/hubs.ts';
import { pauseLines, untrustedLines } from '../policies/pause-text.ts';
import type { Cli } from '../shell/cli.ts';
import { bold, statusText } from '../shell/colors.ts';
import { fleetInForce, openState } from '../shell/state.ts';
import {
  count,
  percent,
  plural,
  right,
  say,
  sayJson,
  sayTable,
  shortRevision,
  tell,
} from '../shell/terminal.ts';
import { sayFacts, sayTitle } from './facts.ts';

/** Dead letters of this many days are counted, up to this number. */
const LETTER_DAYS = 7;
const MOST_LETTERS = 1_000;

/** `berth describe fleet` */
export async function describeFleetCommand(
  { terminal, env, now: clock }: Cli,
  { json }: { readonly json: boolean },
): Promise<number> {
  const now = clock();
  const state = openState(env);
  const fleet = await fleetInForce(state);
  const [control, conditions, counted, deadLetters, unknownHubs] = await Promise.all([
    state.control.read(),
    state.conditions.read(now),
    state.twinCounts.read(fleet.hubs.map(({ host }) => host)),
    state.deadLetters.count(plus(now, -LETTER_DAYS * DAY_MS), MOST_LETTERS),
    state.unknownHubs.list(),
  ]);
  const shares = await reportedShares(state, fleet, conditions, now);
  const hubs = hubOverviews(fleet, conditions, now).map((hub) => ({
    ...hub,
    share: { ...hub.share, ...shares(hub.host) },
  }));
  const policies = policyOverviews(fleet, control, counted, now);
  const moves = moveOverviews(fleet, conditions, now);
  const twins = Object.fromEntries(
    TWIN_STATUSES.map((status) => [
      status,
      [...counted.values()].reduce((sum, { statuses }) => sum + statuses[status], 0),
    ]),
  );
  tell(terminal, `State: ${state.place}.`);
  if (json) {
    sayJson(terminal, {
      revision: fleet.revision,
      newestBuild: control.newestBuild || null,
      pause: control.fleet ?? null,
      twins,
      hubs,
      policies,
      moves,
      deadLetters,
      unknownHubs,
    });
    return 0;
  }
  say(terminal, bold(terminal, `Fleet file: revision ${shortRevision(fleet.revision)}`));
  sayFacts(terminal, [
    ['newest package', control.newestBuild || 'none has run yet'],
    ['devices', count(hubs.reduce((sum, { devices = 0 }) => sum + devices, 0))],
    [
      'dead letters',
      `${count(deadLetters.count)}${deadLetters.more ? ' or more' : ''} in ${LETTER_DAYS} days`,
    ],
    [
      'unknown hubs',
      unknownHubs.length === 0 ? '' : `${plural(unknownHubs.length, 'hub')}: berth dead-letters counts`,
    ],
  ]);
  sayTitle(terminal, 'Hubs');
  sayTable(
    terminal,
    ['hub', 'state', right('wanted'), right('expected'), right('actual'), right('devices'), 'health'],
    hubs.map(({ host, state: current, share, devices, isHealthy }) => [
      host,
      current,
      percent(share.wanted),
      expectedText(share),
      devices === undefined ? '-' : percent(share.actual),
      devices === undefined ? '-' : count(devices),
      isHealthy ? 'healthy' : 'unhealthy',
    ]),
  );
  sayTitle(terminal, 'Twins');
  sayFacts(
    terminal,
    TWIN_STATUSES.map((status) => [statusText(terminal, status), count(twins[status] ?? 0)] as const),
  );
  if (policies.length > 0) {
    sayTitle(terminal, 'Policies');
    sayTable(
      terminal,
      [
        'policy',
        'mode',
        right('rollout'),
        right('reached'),
        right('rejected'),
        right('held'),
        right('contested'),
      ],
      policies.map(({ name, mode, rollout, reached, rejected, held, contested }) => [
        name,
        mode,
        percent(rollout),
        ...[reached, rejected, held, contested].map(count),
      ]),
    );
  }
  const notes = [
    ...moves.map((move) => moveText(move, now)),
    ...pauseLines(control, ['fleet', 'hub', 'policy'], now),
    ...untrustedLines(control, now),
  ];
  if (notes.length > 0) say(terminal);
  for (const note of notes) say(terminal, note);
  const waiting =
    (twins.rejected ?? 0) + (twins.contested ?? 0) + (twins.suspended ?? 0) + (twins.unknown ?? 0);
  if (waiting > 0) tell(terminal, `${plural(waiting, 'twin')} may need you: berth get attention.`);
  return 0;
}
