import type { Override } from '../allocation/conditions.ts';
import { BerthError } from '../errors.ts';
import { parseDuration } from '../fleet/duration.ts';
import { HUB_STATES } from '../fleet/fleet.ts';
import { type HostName, hostName } from '../fleet/host-name.ts';
import { invalid } from './arguments.ts';
import type { Cli } from './cli.ts';
import { fleetInForce, openState, type State } from './state.ts';
import { tell } from './terminal.ts';

export interface OverrideOptions {
  readonly state?: string | undefined;
  readonly weight?: string | undefined;
  readonly reason: string;
  readonly expires: string;
}

/** The weights that a fleet file takes too. */
const LARGEST_WEIGHT = 1_000_000;
const LONGEST_REASON = 256;

/** `berth hub set`: another state or weight than the fleet file's, until it expires. */
export async function setOverride(cli: Cli, name: string, options: OverrideOptions): Promise<number> {
  const { terminal, env, now } = cli;
  const asked = readOptions(options, now());
  const state = openState(env);
  const host = await knownHost(state, name);
  const before = (await state.conditions.read(now())).hubs.get(host)?.override;
  const override: Override = { ...asked, author: await state.author() };
  await state.conditions.setOverride(host, override);
  if (before !== undefined && before.expiresAt > now()) {
    tell(terminal, `In place of: ${textOf(before)}, by ${before.author}: ${before.reason}.`);
  }
  tell(
    terminal,
    `${host} is ${textOf(override)}, by ${override.author}; every instance knows within a minute (state: ${state.place}).`,
  );
  return 0;
}

/** `berth hub clear`: back to what the fleet file says. */
export async function clearOverride({ terminal, env, now }: Cli, name: string): Promise<number> {
  const state = openState(env);
  const host = hostName(name);
  const before = (await state.conditions.read(now())).hubs.get(host)?.override;
  if (before === undefined) await knownHost(state, name);
  await state.conditions.clearOverride(host);
  tell(
    terminal,
    before === undefined
      ? `${host} had no override; it is as the fleet file says.`
      : `${host} is as the fleet file says again; it was ${textOf(before)}, by ${before.author}: ${before.reason}.`,
  );
  return 0;
}

/** @throws BerthError `BERTH_ARGUMENT_INVALID` */
function readOptions(
  { state, weight, reason, expires }: OverrideOptions,
  now: number,
): Omit<Override, 'author'> {
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
  if (reason.trim() === '' || reason.length > LONGEST_REASON) {
    throw invalid(`--reason has ${reason.trim().length} characters: write 1 to ${LONGEST_REASON}.`);
  }
  return {
    ...(known === undefined ? {} : { state: known }),
    ...(number === undefined ? {} : { weight: number }),
    reason: reason.trim(),
    expiresAt: readExpiry(expires, now),
  };
}

/** A duration from now, or a time. */
function readExpiry(expires: string, now: number): number {
  const duration = parseDuration(expires);
  const at = duration === undefined ? Date.parse(expires) : now + duration;
  if (Number.isNaN(at)) {
    throw invalid(
      `--expires is "${expires}": write a duration such as 30m, 8h or 2d, or a time such as 2026-11-30T18:00Z.`,
    );
  }
  if (at <= now) throw invalid(`--expires is "${expires}", which is over already.`);
  return at;
}

/** @throws BerthError `BERTH_HUB_UNKNOWN` */
async function knownHost(state: State, name: string): Promise<HostName> {
  const { hubs } = await fleetInForce(state);
  const host = hostName(name);
  if (hubs.some((hub) => hub.host === host)) return host;
  const hosts = hubs.map((hub) => hub.host).join(', ');
  throw new BerthError(
    'BERTH_HUB_UNKNOWN',
    `"${name}" is no hub of the fleet file in force, which has ${hosts}.`,
  );
}

function textOf({ state, weight, expiresAt }: Omit<Override, 'author'>): string {
  const what = [state, weight === undefined ? undefined : `of weight ${weight}`]
    .filter(Boolean)
    .join(' and ');
  return `${what} until ${new Date(expiresAt).toISOString().slice(0, 16)}Z`;
}
