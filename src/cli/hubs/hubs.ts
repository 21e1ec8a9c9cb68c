import type { Override } from '../../allocation/conditions.ts';
import {
  type HubOverview,
  hubOverviews,
  type MoveOverview,
  moveOverviews,
} from '../../allocation/decision/hub-overview.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { pauseLines, untrustedLines } from '../policies/pause-text.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { type Given, JSON_OUTPUT } from '../shell/inputs.ts';
import { fleetInForce, openState } from '../shell/state.ts';
import {
  count,
  percent,
  right,
  say,
  sayJson,
  sayTable,
  shortRevision,
  span,
  tell,
} from '../shell/terminal.ts';

/** `berth hubs`: shows every hub of the fleet file in force, with overrides and pauses. */
export function registerHubs(berth: CommandGroup): void {
  berth.command({
    name: 'hubs',
    description: 'show every hub: state, weight, devices, health, overrides and pauses',
    inputs: JSON_OUTPUT,
    run: hubs,
  });
}

async function hubs({ terminal, env, now }: Cli, { json }: Given<typeof JSON_OUTPUT>): Promise<number> {
  const state = openState(env);
  const fleet = await fleetInForce(state);
  const [conditions, control] = await Promise.all([state.conditions.read(now()), state.control.read()]);
  const overviews = hubOverviews(fleet, conditions, now());
  const moves = moveOverviews(fleet, conditions, now());
  tell(terminal, `State: ${state.place}. Fleet file: revision ${shortRevision(fleet.revision)}.`);
  if (json) {
    const described = overviews.map((hub) => ({
      ...hub,
      pause: control.hubs[hub.host],
      untrusted: control.untrusted[hub.host],
    }));
    sayJson(terminal, { revision: fleet.revision, pause: control.fleet, hubs: described, moves });
    return 0;
  }
  sayTable(
    terminal,
    [
      'hub',
      'state',
      right('weight'),
      right('wanted'),
      right('actual'),
      right('devices'),
      right('counted'),
      'health',
      'override',
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
  for (const line of pauseLines(control, ['fleet', 'hub'], now())) say(terminal, line);
  for (const line of untrustedLines(control, now())) say(terminal, line);
  return 0;
}

function overrideText({ overrides }: HubOverview, now: EpochMs): string {
  const { state, weight } = overrides;
  const text = (what: string, { author, reason, expiresAt }: Override<unknown>) =>
    `${what} for ${span(expiresAt - now)} more, by ${author}: ${reason}`;
  return [
    ...(state === undefined ? [] : [text(state.value, state)]),
    ...(weight === undefined ? [] : [text(`weight ${weight.value}`, weight)]),
  ].join('; ');
}

function moveText({ cause, since, progress }: MoveOverview, now: EpochMs): string {
  const [kind, host] = cause.split(':');
  const what = kind === 'drain' ? `Drain of ${host}` : 'Moves to faster hubs';
  if (since === undefined) return `${what}: not started yet; resyncFleet starts it within a minute.`;
  return `${what}: started ${span(now - since)} ago, has reached ${percent(progress)} of the devices.`;
}
