import { inForce, type Override, type Overrides } from '../../allocation/conditions.ts';
import { HUB_STATES } from '../../fleet/hub-state.ts';
import { type HostName, hostName } from '../../iot-hub/host-name.ts';
import { LONGEST_MS, parseDuration } from '../../time/duration.ts';
import { invalid, readReason, TIME } from '../shell/arguments.ts';
import type { Cli } from '../shell/cli.ts';
import { knownHub } from '../shell/known.ts';
import { fleetInForce, openState, type State } from '../shell/state.ts';
import { moment, tell } from '../shell/terminal.ts';

export interface OverrideOptions {
  readonly state?: string | undefined;
  readonly weight?: string | undefined;
  readonly reason: string;
  readonly expires: string;
}

/** The weights that a fleet file takes too. */
const LARGEST_WEIGHT = 1_000_000;

/**
 * `berth hub set`: another state or weight than the fleet file's, until it expires. What is not given stays as
 * it was set.
 */
export async function setOverride(cli: Cli, name: string, options: OverrideOptions): Promise<number> {
  const { terminal, env, now } = cli;
  const { state, weight } = readValues(options);
  const terms = { reason: readReason(options.reason), expiresAt: readExpiry(options.expires, now()) };
  const tables = openState(env);
  const host = await hostInForce(tables, name);
  const before = await overridesOf(tables, host, now());
  const set = { author: await tables.author(), ...terms };
  const overrides: Overrides = {
    ...(state === undefined ? {} : { state: { value: state, ...set } }),
    ...(weight === undefined ? {} : { weight: { value: weight, ...set } }),
  };
  await tables.conditions.setOverrides(host, overrides);
  const replaced = {
    ...(state === undefined || before.state === undefined ? {} : { state: before.state }),
    ...(weight === undefined || before.weight === undefined ? {} : { weight: before.weight }),
  };
  for (const text of textsOf(replaced)) tell(terminal, `In place of: ${text}.`);
  for (const text of textsOf({ ...before, ...overrides })) tell(terminal, `${host} is ${text}.`);
  tell(terminal, `Every instance knows within a minute. State: ${tables.place}.`);
  return 0;
}

/** `berth hub clear`: back to what the fleet file says. */
export async function clearOverride({ terminal, env, now }: Cli, name: string): Promise<number> {
  const tables = openState(env);
  const host = hostName(name);
  const before = textsOf(await overridesOf(tables, host, now()));
  if (before.length === 0) await hostInForce(tables, name);
  await tables.conditions.clearOverrides(host);
  const was = before.length === 0 ? 'it had no override' : `it was ${before.join(' and ')}`;
  tell(terminal, `${host} is as the fleet file says; ${was}. State: ${tables.place}.`);
  return 0;
}

async function overridesOf(tables: State, host: HostName, now: number): Promise<Overrides> {
  return inForce((await tables.conditions.read(now)).hubs.get(host)?.overrides ?? {}, now);
}

/** @throws BerthError `BERTH_ARGUMENT_INVALID` */
function readValues({ state, weight }: OverrideOptions) {
  if (state === undefined && weight === undefined) {
    throw invalid('Nothing is to be set: give --state, --weight or both.');
  }
  const known = HUB_STATES.find((each) => each === state);
  if (state !== undefined && known === undefined) {
    throw invalid(`--state is "${state}": write one of ${HUB_STATES.join(', ')}.`);
  }
  const number = weight === undefined ? undefined : Number(weight);
  if (number !== undefined && !(number > 0 && number <= LARGEST_WEIGHT)) {
    throw invalid(
      `--weight is "${weight}": write a number above 0, at most ${LARGEST_WEIGHT}; for no new devices use --state cordoned.`,
    );
  }
  return { state: known, weight: number };
}

/** A duration from now, or a time. */
function readExpiry(expires: string, now: number): number {
  const duration = parseDuration(expires);
  const at =
    duration === undefined && TIME.test(expires) ? Date.parse(expires) : now + (duration ?? Number.NaN);
  if (Number.isNaN(at) || at > now + LONGEST_MS) {
    throw invalid(
      `--expires is "${expires}": write a duration such as 30m, 8h or 2d, or a time such as 2026-11-30T18:00Z.`,
    );
  }
  if (at <= now) throw invalid(`--expires is "${expires}", which is over already.`);
  return at;
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
