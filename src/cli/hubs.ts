import {
  type HubOverview,
  hubOverviews,
  type MoveOverview,
  moveOverviews,
} from '../allocation/hub-overview.ts';
import type { Cli } from './cli.ts';
import { fleetInForce, openState } from './state.ts';
import { count, percent, say, sayJson, sayTable, span, tell } from './terminal.ts';

/** `berth hubs`: every hub of the fleet in force, with what operators have set. */
export async function hubs(
  { terminal, env, now }: Cli,
  { json }: { readonly json: boolean },
): Promise<number> {
  const state = openState(env);
  const fleet = await fleetInForce(state);
  const conditions = await state.conditions.read(now());
  const overviews = hubOverviews(fleet, conditions, now());
  const moves = moveOverviews(fleet, conditions, now());
  if (json) {
    sayJson(terminal, { revision: fleet.revision, hubs: overviews, moves });
    return 0;
  }
  tell(terminal, `State: ${state.place}. Fleet file: revision ${fleet.revision.slice(0, 12)}.`);
  sayTable(
    terminal,
    [
      { name: 'hub' },
      { name: 'state' },
      { name: 'weight', align: 'right' },
      { name: 'wanted', align: 'right' },
      { name: 'actual', align: 'right' },
      { name: 'devices', align: 'right' },
      { name: 'counted', align: 'right' },
      { name: 'health' },
      { name: 'override' },
    ],
    overviews.map((hub) => [
      hub.host,
      hub.state,
      String(hub.weight),
      percent(hub.share.wanted),
      hub.devices === undefined ? '-' : percent(hub.share.actual),
      hub.devices === undefined ? '-' : count(hub.devices),
      hub.countedAt === undefined ? 'never' : `${span(now() - hub.countedAt)} ago`,
      hub.isHealthy ? 'healthy' : `unhealthy, ${hub.failures} failed calls`,
      overrideText(hub, now()),
    ]),
  );
  for (const move of moves) say(terminal, moveText(move, now()));
  return 0;
}

function overrideText({ override }: HubOverview, now: number): string {
  if (override === undefined) return '';
  const { state, weight, author, reason, expiresAt } = override;
  const what = [state, weight === undefined ? undefined : `weight ${weight}`].filter(Boolean).join(', ');
  return `${what} for ${span(expiresAt - now)} more, by ${author}: ${reason}`;
}

function moveText({ cause, since, progress }: MoveOverview, now: number): string {
  if (since === undefined) return `${cause}: not begun; it begins within a minute, when resyncFleet sees it`;
  return `${cause}: since ${span(now - since)}, has reached ${percent(progress)} of the devices`;
}
