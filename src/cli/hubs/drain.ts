import { conditionsOf, effectiveHub } from '../../allocation/conditions.ts';
import { moveOverviews } from '../../allocation/decision/hub-overview.ts';
import { drainCause } from '../../allocation/moves/moves.ts';
import { pauseOf } from '../../control/pauses.ts';
import { BerthError } from '../../errors.ts';
import type { MoveRequest } from '../../fleet/fleet.ts';
import { DRAIN_STATES, type DrainedDevice, type DrainState, drainOverview } from '../../overview/drain.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { isoTime } from '../../time/iso-time.ts';
import { pauseText } from '../policies/pause-text.ts';
import { readChoice } from '../shell/arguments.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { type Given, oneOf, optional, requiredText } from '../shell/inputs.ts';
import { LIST_INPUTS, type Listing, showListing } from '../shell/listing.ts';
import { printable, printableStart } from '../shell/printable.ts';
import { fleetInForce, openState } from '../shell/state.ts';
import { count, right, shortRevision, span } from '../shell/terminal.ts';
import { devicesOut, enableText, hubOfDrain } from './hub-of-drain.ts';
import { moveText } from './hubs.ts';
import { isAboutSilent, runSilent, SILENT_INPUTS } from './silent/silent-inputs.ts';

const REASON_WIDTH = 100;

const INPUTS = {
  '<host>': requiredText('host name of the hub, such as contoso-weu.azure-devices.net'),
  '--list <state>': oneOf(
    DRAIN_STATES,
    optional(`list the devices in this state: ${DRAIN_STATES.join(', ')}`, (given, { name }) =>
      readChoice(name, given, DRAIN_STATES),
    ),
  ),
  ...LIST_INPUTS,
  ...SILENT_INPUTS,
};

/** What each state means, in the order of the table. */
const MEANINGS: Readonly<Record<DrainState, string>> = {
  moved: 'registered again, and are on another hub',
  gone: 'left the hub, and Berth knows them on no other hub',
  asked: 'were asked, and have not registered again yet',
  silent: 'were asked, and have shown no life since',
  waiting: 'are asked when the gradual move reaches them',
  notAsked: 'are not asked, or not yet',
};

/**
 * `berth hub drain`: shows which devices of a draining hub have moved, were asked to move, and are silent. With `--disable-silent`, it
 * makes silent devices register again.
 */
export function registerHubDrain(hub: CommandGroup): void {
  hub.command({
    name: 'drain',
    description:
      'show the drain of a hub: devices that have moved, were asked to move, or are silent; make silent ones register again ("berth hub set HOST --state draining" starts a drain)',
    inputs: INPUTS,
    example: 'berth hub drain contoso-weu.azure-devices.net --list silent',
    changes: isAboutSilent,
    run: (cli, options) => (isAboutSilent(options) ? runSilent(cli, options) : showDrain(cli, options)),
  });
}

function showDrain(cli: Cli, options: Given<typeof INPUTS>): Promise<number> {
  const { env, now } = cli;
  const { host: name, list } = options;
  const state = openState(env);
  return showListing(cli, options, async (limit): Promise<Listing> => {
    const fleet = await fleetInForce(state);
    const host = await hubOfDrain(name, fleet, state);
    const [conditions, control, disabled] = await Promise.all([
      state.conditions.read(now()),
      state.control.read(),
      devicesOut(host, state),
    ]);
    const hub = fleet.hubByHost.get(host);
    const present = hub && effectiveHub(hub, conditionsOf(host, conditions), now()).state;
    const move = moveOverviews(fleet, conditions, now()).find(({ cause }) => cause === drainCause(host));
    const toEnable = enableText(host, disabled);
    if (move === undefined) {
      const why =
        present === undefined
          ? `${host} is not in the fleet file, so it has no drain.`
          : `${host} is ${present}, so it has no drain. Start one with: berth hub set ${host} --state draining --reason TEXT --expires 7d`;
      throw new BerthError('BERTH_HUB_NOT_DRAINING', toEnable === undefined ? why : `${why} (${toEnable})`);
    }
    const { since, progress } = move;
    const { moveRequest } = fleet.twins;
    const overview = await drainOverview(state, { fleet, control, host, since, state: list, limit });
    const { counts, devices, more } = overview;
    const pause = pauseOf(control, host);
    return {
      about: `State: ${state.place}. Fleet file: revision ${shortRevision(fleet.revision)}.`,
      ...(list === undefined
        ? {
            columns: ['devices', right('number'), ''],
            rows: DRAIN_STATES.map((each) => ({
              key: each,
              cells: [each, count(counts[each]), MEANINGS[each]],
              item: { state: each, devices: counts[each] },
            })),
          }
        : {
            columns: ['device', TIMES[list], list === 'moved' ? 'to' : 'last life', 'reason'],
            rows: devices.map((device) => rowOf(device, now())),
            more,
          }),
      none: `No device is in the state ${list}.`,
      notes: [
        moveText(move, now()),
        requestText(moveRequest),
        ...(pause === undefined ? [] : [`No device is asked now: paused ${pauseText(pause, now())}.`]),
        ...(toEnable === undefined ? [] : [toEnable]),
      ],
      json: {
        hub: host,
        since: isoTime(since),
        progress,
        ask: moveRequest === undefined ? null : askOf(moveRequest),
        pause: pause ?? null,
        disabled,
        counts,
        ...(list === undefined ? {} : { state: list, devices, more }),
      },
    };
  });
}

/** What the time of a device in a list is. */
const TIMES: Readonly<Record<DrainState, string>> = {
  moved: 'left',
  gone: 'left',
  asked: 'asked',
  silent: 'asked',
  waiting: 'is asked at',
  notAsked: '',
};

function rowOf(device: DrainedDevice, now: EpochMs) {
  const { deviceId, state, at, movedTo, lifeAt, why } = device;
  const ago = (time: string | null) => (time === null ? '-' : `${span(now - Date.parse(time))} ago`);
  return {
    key: deviceId,
    cells: [
      printable(deviceId),
      state === 'waiting' ? (at ?? '-') : state === 'notAsked' ? '' : ago(at),
      state === 'moved' ? (movedTo ?? '-') : ago(lifeAt),
      printableStart(why, REASON_WIDTH),
    ],
    item: device,
  };
}

function askOf({ leaf, method, silentAfterMs }: MoveRequest) {
  return { property: leaf.key, method: method ?? null, silentAfterMs };
}

function requestText(moveRequest: MoveRequest | undefined): string {
  if (moveRequest === undefined) {
    return 'The fleet file has no allocation.moves.ask, so no device is asked: a device moves when it registers again by itself.';
  }
  const { leaf, method, silentAfterMs } = moveRequest;
  const called = method === undefined ? '' : ` and the method ${method}`;
  return `Devices are asked by the property ${leaf.key}${called}. They are silent after ${span(silentAfterMs)} without life.`;
}
