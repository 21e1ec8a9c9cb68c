import { inForce, type Override, type Overrides } from '../../allocation/conditions.ts';
import { HUB_STATES, type HubState } from '../../fleet/hub-state.ts';
import { type HostName, hostName } from '../../iot-hub/host-name.ts';
import { LONGEST_MS, parseDuration } from '../../time/duration.ts';
import { type EpochMs, epochMs } from '../../time/epoch-ms.ts';
import { invalid, TIME } from '../shell/arguments.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import {
  type Given,
  type InputReading,
  oneOf,
  optional,
  reason,
  required,
  requiredText,
} from '../shell/inputs.ts';
import { knownHub } from '../shell/known.ts';
import { fleetInForce, openState, type State } from '../shell/state.ts';
import { moment, tell } from '../shell/terminal.ts';
import { registerHubDrain } from './drain.ts';
import { registerHubPrepare } from './prepare.ts';

/** The same limit as in a fleet file. */
const LARGEST_WEIGHT = 1_000_000;

const SET = {
  '<host>': requiredText('host name of the hub, such as contoso-weu.azure-devices.net'),
  '--state <state>': oneOf(
    HUB_STATES,
    optional(
      'active, cordoned (no new devices) or draining (devices move when they register again)',
      readState,
    ),
  ),
  '--weight <number>': optional('the weight of the hub for new devices', readWeight),
  '--reason <text>': reason('the reason, shown with the override'),
  '--expires <time>': required(
    'when the override ends: a duration (30m, 8h, 2d) or a time (2026-11-30T18:00Z)',
    readExpiry,
  ),
};

const CLEAR = {
  '<host>': requiredText('host name of the hub'),
};

/**
 * `berth hub set`: overrides the state or the weight of the fleet file until a time. It keeps an override
 * that it is not given. `berth hub clear`: removes the overrides.
 */
export function registerHub(berth: CommandGroup): void {
  const hub = berth.group(
    'hub',
    'override the state or the weight of a hub, show its drain, or prepare it for Berth',
  );
  hub.command({
    name: 'set',
    description: 'override the state or the weight until a time; takes effect within a minute',
    inputs: SET,
    example:
      'berth hub set contoso-weu.azure-devices.net --state cordoned --reason "certificate roll" --expires 8h',
    changes: true,
    run: setOverride,
  });
  hub.command({
    name: 'clear',
    description: 'remove the overrides, so that the fleet file applies again',
    inputs: CLEAR,
    example: 'berth hub clear contoso-weu.azure-devices.net',
    changes: true,
    run: clearOverride,
  });
  registerHubDrain(hub);
  registerHubPrepare(hub);
}

async function setOverride({ terminal, env, now }: Cli, options: Given<typeof SET>): Promise<number> {
  const { state, weight } = options;
  if (state === undefined && weight === undefined) {
    throw invalid('Nothing to set: give --state, --weight or both.');
  }
  const tables = openState(env);
  const host = await hostInForce(tables, options.host);
  const before = await overridesOf(tables, host, now());
  const set = { author: await tables.author(), reason: options.reason, expiresAt: options.expires };
  const overrides: Overrides = {
    ...(state === undefined ? {} : { state: { value: state, ...set } }),
    ...(weight === undefined ? {} : { weight: { value: weight, ...set } }),
  };
  await tables.conditions.setOverrides(host, overrides);
  const replaced = {
    ...(state === undefined || before.state === undefined ? {} : { state: before.state }),
    ...(weight === undefined || before.weight === undefined ? {} : { weight: before.weight }),
  };
  for (const text of textsOf(replaced)) tell(terminal, `Replaced: ${text}.`);
  for (const text of textsOf({ ...before, ...overrides })) tell(terminal, `${host} is ${text}.`);
  tell(terminal, `Every instance applies this within a minute. State: ${tables.place}.`);
  return 0;
}

async function clearOverride(
  { terminal, env, now }: Cli,
  { host: name }: Given<typeof CLEAR>,
): Promise<number> {
  const tables = openState(env);
  const host = hostName(name);
  const before = textsOf(await overridesOf(tables, host, now()));
  if (before.length === 0) await hostInForce(tables, name);
  await tables.conditions.clearOverrides(host);
  const was = before.length === 0 ? 'it had no override' : `it was ${before.join(' and ')}`;
  tell(terminal, `The fleet file applies to ${host}; ${was}. State: ${tables.place}.`);
  return 0;
}

async function overridesOf(tables: State, host: HostName, now: EpochMs): Promise<Overrides> {
  return inForce((await tables.conditions.read(now)).hubs.get(host)?.overrides ?? {}, now);
}

function readState(text: string | undefined, { name }: InputReading): HubState | undefined {
  const known = HUB_STATES.find((each) => each === text);
  if (text === undefined || known !== undefined) return known;
  throw invalid(`${name} is "${text}": write one of ${HUB_STATES.join(', ')}.`);
}

function readWeight(text: string | undefined, { name }: InputReading): number | undefined {
  const weight = text === undefined ? undefined : Number(text);
  if (weight === undefined || (weight > 0 && weight <= LARGEST_WEIGHT)) return weight;
  throw invalid(
    `${name} is "${text}": write a number above 0, at most ${LARGEST_WEIGHT}; for no new devices use --state cordoned.`,
  );
}

/** A duration from now, or a time; not yet over. */
function readExpiry(text: string, { name, now }: InputReading): EpochMs {
  const duration = parseDuration(text);
  const at = duration === undefined && TIME.test(text) ? Date.parse(text) : now + (duration ?? Number.NaN);
  if (Number.isNaN(at) || at > now + LONGEST_MS) {
    throw invalid(
      `${name} is "${text}": write a duration such as 30m, 8h or 2d, or a time such as 2026-11-30T18:00Z.`,
    );
  }
  if (at <= now) throw invalid(`${name} is "${text}", which is in the past: write a later time.`);
  return epochMs(at);
}

/** @throws BerthError `BERTH_HUB_UNKNOWN` */
async function hostInForce(tables: State, name: string): Promise<HostName> {
  const { hubs } = await fleetInForce(tables);
  return knownHub(
    name,
    hubs.map(({ host }) => host),
    'the fleet file in force',
  );
}

function textsOf({ state, weight }: Overrides): readonly string[] {
  const text = (what: string, { author, reason, expiresAt }: Override<unknown>) =>
    `${what} until ${moment(expiresAt)}, by ${author}: ${reason}`;
  return [
    ...(state === undefined ? [] : [text(state.value, state)]),
    ...(weight === undefined ? [] : [text(`of weight ${weight.value}`, weight)]),
  ];
}
