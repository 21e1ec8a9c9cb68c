import { randomUUID } from 'node:crypto';
import { BerthError } from '../../../errors.ts';
import { HubError } from '../../../hub/port.ts';
import { type DisabledDevice, isOpen, isOut, markOf } from '../../../silent-devices/disabled-device.ts';
import { type DisableResult, isLost, losesTooMany } from '../../../silent-devices/next-step.ts';
import type { Cli } from '../../shell/cli.ts';
import { percent, plural, sayJson, tell } from '../../shell/terminal.ts';
import { AskedTimes } from './asked-times.ts';
import { type DisableRequest, disableDevice } from './disable-device.ts';
import { type Followed, followDevices } from './follow.ts';
import { type Inventory, readInventory } from './inventory.ts';
import { type DeviceToDisable, type PlanTerms, planOf, storedDevices } from './plan.ts';
import { drainPlanJson, sayDrainPlan } from './plan-text.ts';
import { type DrainSession, hubDrainOf, withDrainSession } from './session.ts';
import { NOT_DISABLED_TEXTS, PHASE_TEXTS, resultText, waveText } from './texts.ts';
import type { DrainTools } from './tools.ts';

/** What an operator asks of `berth hub drain --disable-silent`. */
export interface DisableSilent {
  readonly host: string;
  readonly reason: string;
  /** Devices in a wave. */
  readonly wave: number;
  readonly waitMs: number;
  /** The greatest accepted share of lost devices in a wave, from 0 to 1. */
  readonly mostLost: number;
  /** Whether devices that did not move in an earlier run are disabled again. */
  readonly again: boolean;
  /** False: only the plan. */
  readonly yes: boolean;
  readonly json: boolean;
}

/** What a wave did, for `--json`. */
interface Wave {
  readonly number: number;
  readonly results: Readonly<Record<string, DisableResult>>;
}

/**
 * `berth hub drain --disable-silent`: disables devices of a draining hub in waves, so that they lose their connection and register
 * again. It enables again what has not moved.
 */
export function disableSilent(cli: Cli, asked: DisableSilent): Promise<number> {
  return withDrainSession(cli, asked.host, asked.waitMs, async (session) => {
    const { state, tools, dps } = session;
    const drain = await hubDrainOf(session);
    const inventory = await readInventory(tools.registry, dps, tools.pace, cli);
    const before = await storedDevices(session);
    const terms = { drain, asked: new AskedTimes(session), again: asked.again };
    const planned = await planOf(session, terms, inventory, before);
    const { host } = tools;
    if (!asked.json) sayDrainPlan(cli.terminal, host, planned, before);
    if (!asked.yes) {
      if (asked.json) sayJson(cli.terminal, { host, ...drainPlanJson(planned, before), waves: [] });
      tell(cli.terminal, 'Nothing was done: add --yes to disable these devices.');
    } else {
      await session.begin();
      const waves: Wave[] = [];
      const sayResult = () => {
        if (asked.json) sayJson(cli.terminal, { host, ...drainPlanJson(planned, before), waves });
      };
      try {
        await runWaves(session, asked, { terms, listed: inventory, waves });
      } catch (error) {
        if (waves.length > 0) sayResult();
        throw error;
      }
      sayResult();
    }
    tell(cli.terminal, `State: ${state.place}.`);
    if (!tools.isEnding()) return 0;
    tell(cli.terminal, 'Ended before all devices were done. Run the same command again to continue.');
    return session.endedCode();
  });
}

/** What is known before the first wave, and the waves that are done, to which each wave adds itself. */
interface WavesRun {
  readonly terms: PlanTerms;
  readonly listed: Inventory;
  readonly waves: Wave[];
}

/** @throws BerthError `BERTH_DRAIN_STOPPED`, `BERTH_DRAIN_UNFINISHED` */
async function runWaves(
  session: DrainSession,
  asked: DisableSilent,
  { terms, listed, waves }: WavesRun,
): Promise<void> {
  const { tools, state } = session;
  const author = await state.author();
  const mark = markOf(randomUUID().slice(0, 8));
  const earlier = (await storedDevices(session)).filter(isOpen);
  if (earlier.length > 0) waves.push(await followWave(session, asked, 0, earlier));
  const tried = new Set<string>();
  await forgetGone(session, listed);
  let inventory = withoutLeft(listed, waves);
  for (let number = 1; !tools.isEnding(); number += 1) {
    // The operator may have ended the drain meanwhile: a device that registers would then stay.
    const drain = await hubDrainOf(session);
    const { disable } = await planOf(session, { ...terms, drain }, inventory, await storedDevices(session));
    const wave = disable.filter(({ deviceId }) => !tried.has(deviceId)).slice(0, asked.wave);
    if (wave.length === 0) break;
    for (const { deviceId } of wave) tried.add(deviceId);
    const disabled = await disableWave(session, wave, { mark, author, reason: asked.reason });
    tools.report(`Wave ${number}: ${plural(disabled.length, 'device')} disabled.`);
    waves.push(await followWave(session, asked, number, disabled));
    inventory = withoutLeft(inventory, waves);
  }
}

/** Removes the records of devices that need nothing more, because their identities have left the hub. */
async function forgetGone(session: DrainSession, { devices }: Inventory): Promise<void> {
  const here = new Set(devices.map(({ deviceId }) => deviceId));
  const gone = (await storedDevices(session)).filter(
    (device) => !isOpen(device) && device.phase !== 'disabledThere' && !here.has(device.deviceId),
  );
  for (const device of gone) await session.tools.store.remove(device);
}

/** Disables the devices of a wave. If a call fails, it enables again what it has disabled, and throws. */
async function disableWave(
  session: DrainSession,
  wave: readonly DeviceToDisable[],
  by: Pick<DisableRequest, 'mark' | 'author' | 'reason'>,
): Promise<readonly DisabledDevice[]> {
  const { tools } = session;
  const disabled: DisabledDevice[] = [];
  for (const { deviceId, registration } of wave) {
    if (tools.isEnding()) break;
    try {
      const device = await disablePatiently(tools, { deviceId, registration, ...by });
      if (typeof device === 'string') tools.report(`${deviceId}: ${NOT_DISABLED_TEXTS[device]}`);
      else disabled.push(device);
    } catch (error) {
      if (!(error instanceof BerthError)) throw error;
      tools.report(`The wave ends: ${error.message}`);
      requireNoneOut(session, await followDevices({ ...tools, isEnding: () => true }, disabled));
      throw error;
    }
  }
  return disabled;
}

/** A hub or DPS that is busy is tried again this often. */
const MOST_TRIES = 5;
const RETRY_MS = 10_000;

async function disablePatiently(
  tools: DrainTools,
  request: DisableRequest,
): ReturnType<typeof disableDevice> {
  for (let tries = 1; ; tries += 1) {
    await tools.renew();
    try {
      return await disableDevice(tools, request);
    } catch (error) {
      const mayTryAgain = error instanceof BerthError && error.kind === 'transient';
      if (!mayTryAgain || tries === MOST_TRIES || tools.isEnding()) throw error;
      await tools.wait((error instanceof HubError ? error.retryAfterMs : undefined) ?? RETRY_MS);
    }
  }
}

async function followWave(
  session: DrainSession,
  { mostLost }: DisableSilent,
  number: number,
  devices: readonly DisabledDevice[],
): Promise<Wave> {
  const { tools } = session;
  const followed = await followDevices(tools, devices);
  const results = [...followed.results.values()];
  tools.report(waveText(number, results));
  requireNoneOut(session, followed);
  if (followed.failure !== undefined) throw followed.failure;
  if (losesTooMany(results, mostLost)) throw stopped(tools.host, followed, mostLost);
  return { number, results: Object.fromEntries(followed.results) };
}

/** The devices that are still in the hub. A child may leave when its parent has left. */
function withoutLeft(inventory: Inventory, waves: readonly Wave[]): Inventory {
  const left = new Set(
    waves.flatMap(({ results }) =>
      Object.entries(results).flatMap(([deviceId, result]) => (hasLeft(result) ? [deviceId] : [])),
    ),
  );
  return { ...inventory, devices: inventory.devices.filter(({ deviceId }) => !left.has(deviceId)) };
}

function hasLeft(result: DisableResult): boolean {
  return result === 'moved' || result === 'leftDisabled' || result === 'disabledThere';
}

/** @throws BerthError `BERTH_DRAIN_UNFINISHED` if devices are still disabled */
export function requireNoneOut({ tools: { host } }: DrainSession, { open, failure }: Followed): void {
  const out = open.filter(isOut);
  if (out.length === 0) return;
  throw new BerthError(
    'BERTH_DRAIN_UNFINISHED',
    `${plural(out.length, 'device')} of ${host} may still be disabled, because ${failure?.message ?? 'the run was ended.'} Run this when ${host} and DPS answer again: berth hub drain ${host} --enable-again.`,
    { details: out.map(({ deviceId, phase }) => ({ path: deviceId, message: PHASE_TEXTS[phase] })) },
  );
}

function stopped(host: string, { results }: Followed, mostLost: number): BerthError {
  const lost = [...results].filter(([, result]) => isLost(result));
  return new BerthError(
    'BERTH_DRAIN_STOPPED',
    `${lost.length} of ${plural(results.size, 'device')} of this wave of ${host} are lost, more than --most-lost ${percent(mostLost)}. No further device was disabled. Look at these devices first. Then run the same command again: it leaves them alone.`,
    { details: lost.map(([deviceId, result]) => ({ path: deviceId, message: resultText(result) })) },
  );
}
