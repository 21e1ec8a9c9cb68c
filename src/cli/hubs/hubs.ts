import type { Override } from '../../allocation/conditions.ts';
import {
  type HubOverview,
  hubOverviews,
  type MoveOverview,
  moveOverviews,
} from '../../allocation/decision/hub-overview.ts';
import type { HubState } from '../../fleet/hub-state.ts';
import { moveCounts } from '../../overview/drain.ts';
import {
  type LivenessOverview,
  livenessOverview,
  livenessText,
  storedHub,
} from '../../overview/hub-liveness.ts';
import { type ReportedShare, reportedShares } from '../../overview/hub-shares.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { pauseLines, untrustedLines } from '../policies/pause-text.ts';
import type { Cli } from '../shell/cli.ts';
import { bad, good } from '../shell/colors.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { knownHub } from '../shell/known.ts';
import { LIST_INPUTS, type Listing, type ListOptions, showListing } from '../shell/listing.ts';
import { fleetInForce, openState } from '../shell/state.ts';
import { count, percent, right, shortRevision, span, type Terminal } from '../shell/terminal.ts';

/** The options of `berth hubs`. */
export const HUB_LIST = LIST_INPUTS;

interface HubListOptions extends ListOptions {
  readonly hub?: string | undefined;
  /** Only hubs in this state. */
  readonly status?: HubState | undefined;
}

/** `berth hubs`: shows every hub of the fleet file in force, with overrides and pauses. */
export function registerHubs(berth: CommandGroup): void {
  berth.command({
    name: 'hubs',
    description: 'show every hub: state, weight, devices, health, overrides and pauses',
    inputs: HUB_LIST,
    example: 'berth hubs --watch',
    changes: false,
    run: showHubs,
  });
}

/** `berth hubs` and `berth get hubs` */
export function showHubs(cli: Cli, options: HubListOptions): Promise<number> {
  const { terminal, env, now } = cli;
  const state = openState(env);
  return showListing(cli, options, async (limit): Promise<Listing> => {
    const fleet = await fleetInForce(state);
    const [conditions, control] = await Promise.all([state.conditions.read(now()), state.control.read()]);
    const hosts = fleet.hubs.map(({ host }) => host);
    const only =
      options.hub === undefined ? undefined : knownHub(options.hub, hosts, 'The fleet file in force');
    const matching = hubOverviews(fleet, conditions, now()).filter(
      ({ host, state: current }) =>
        (only === undefined || host === only) && (options.status === undefined || current === options.status),
    );
    const overviews = matching.slice(0, limit);
    const moves = moveOverviews(fleet, conditions, now());
    const liveness = await state.liveness.read();
    const livenessOf = new Map(
      await Promise.all(
        overviews.map(async ({ host }) => {
          const stored = await storedHub(state, host);
          return [host, livenessOverview(host, liveness, stored, now())] as const;
        }),
      ),
    );
    const shares = await reportedShares(state, fleet, conditions, now());
    const counted = [...(await state.twinCounts.read(overviews.map(({ host }) => host))).values()];
    const described = overviews.map((hub, index) => ({
      ...hub,
      share: { ...hub.share, ...shares(hub.host) },
      pause: control.hubs[hub.host],
      untrusted: control.untrusted[hub.host],
      liveness: livenessOf.get(hub.host),
      moveRequests: moveCounts(fleet, control, hub.host, counted[index]),
    }));
    return {
      about: `State: ${state.place}. Fleet file: revision ${shortRevision(fleet.revision)}.`,
      columns: COLUMNS,
      rows: described.map(({ countedAt, ...item }) => ({
        key: item.host,
        cells: cellsOf({ countedAt, ...item }, terminal, now()),
        item,
      })),
      more: matching.length > overviews.length,
      none: 'No hub matches.',
      notes: [
        ...moves.map((move) => moveText(move, now())),
        ...requestLines(described),
        ...pauseLines(control, ['fleet', 'hub'], now()),
        ...untrustedLines(control, now()),
        ...livenessLines(described),
      ],
      json: { revision: fleet.revision, pause: control.fleet, hubs: described, moves },
    };
  });
}

/** A hub with the share that it can expect. */
export interface HubWithShares extends HubOverview {
  readonly share: HubOverview['share'] & ReportedShare;
  readonly liveness?: LivenessOverview | undefined;
}

const COLUMNS = [
  'hub',
  'state',
  right('weight'),
  right('wanted'),
  right('expected'),
  right('actual'),
  right('devices'),
  right('counted'),
  'health',
  'events',
  'override',
];

function cellsOf(hub: HubWithShares, terminal: Terminal, now: EpochMs): readonly string[] {
  return [
    hub.host,
    hub.state,
    String(hub.weight),
    percent(hub.share.wanted),
    expectedText(hub.share),
    hub.devices === undefined ? '-' : percent(hub.share.actual),
    hub.devices === undefined ? '-' : count(hub.devices),
    hub.countedAt === undefined ? 'never' : `${span(now - hub.countedAt)} ago`,
    hub.isHealthy ? good(terminal, 'healthy') : bad(terminal, `unhealthy, ${hub.failures} failed calls`),
    hub.liveness === undefined ? '-' : eventsText(hub.liveness, terminal),
    overrideText(hub, now),
  ];
}

function eventsText({ state }: LivenessOverview, terminal: Terminal): string {
  switch (state) {
    case 'live':
      return good(terminal, state);
    case 'quiet':
      return state;
    case 'late':
    case 'silent':
      return bad(terminal, state);
  }
}

/** A sentence about each hub whose events do not arrive, or of which nothing is known. Hubs with the same text share it. */
function livenessLines(hubs: readonly HubWithShares[]): readonly string[] {
  const byText = new Map<string, string[]>();
  for (const { host, liveness } of hubs) {
    if (liveness === undefined || liveness.why === '') continue;
    const text = livenessText(liveness);
    byText.set(text, [...(byText.get(text) ?? []), host]);
  }
  return [...byText].map(([text, hosts]) =>
    hosts.length > 1 && hosts.length === hubs.length
      ? `Every hub is ${text}.`
      : `${hosts.join(', ')} ${hosts.length === 1 ? 'is' : 'are'} ${text}.`,
  );
}

/** A sentence about each draining hub whose devices are asked to move. */
function requestLines(
  hubs: readonly (HubOverview & { readonly moveRequests: ReturnType<typeof moveCounts> })[],
): readonly string[] {
  return hubs.flatMap(({ host, moveRequests }) => {
    if (moveRequests === undefined) return [];
    const { asked, silent, waiting, notAsked } = moveRequests;
    return [
      `Devices of ${host}: ${count(asked)} asked to move, ${count(silent)} silent, ${count(waiting)} waiting, ${count(notAsked)} not asked; "berth hub drain ${host}" lists them.`,
    ];
  });
}

/** `33 ± 11 %`, or `3.2 ± 2.5 %` for a small share; `-` if it is not known. */
export function expectedText({ expected, spread }: ReportedShare): string {
  if (expected === null || spread === null) return '-';
  const digits = expected > 0 && expected < 0.1 ? 1 : 0;
  return `${(expected * 100).toFixed(digits)} ± ${(spread * 100).toFixed(digits)} %`;
}

/** What operators have set, with the remaining time. */
export function overrideText({ overrides }: HubOverview, now: EpochMs): string {
  const { state, weight } = overrides;
  const text = (what: string, { author, reason, expiresAt }: Override<unknown>) =>
    `${what} for ${span(expiresAt - now)} more, by ${author}: ${reason}`;
  return [
    ...(state === undefined ? [] : [text(state.value, state)]),
    ...(weight === undefined ? [] : [text(`weight ${weight.value}`, weight)]),
  ].join('; ');
}

/** A sentence about a gradual move. */
export function moveText({ cause, since, progress }: MoveOverview, now: EpochMs): string {
  const [kind, host] = cause.split(':');
  const what = kind === 'drain' ? `Drain of ${host}` : 'Moves to faster hubs';
  if (since === undefined) return `${what}: not started yet; resyncFleet starts it within a minute.`;
  return `${what}: started ${span(now - since)} ago, has reached ${percent(progress)} of the devices.`;
}
