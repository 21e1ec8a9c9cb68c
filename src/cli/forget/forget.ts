import { setTimeout } from 'node:timers/promises';
import { BerthError } from '../../errors.ts';
import { type DisabledDevice, isOut } from '../../silent-devices/disabled-device.ts';
import { KEPT_OUT_SETTLED_MS } from '../../store/state/kept-out-store.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { invalid } from '../shell/arguments.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { requireOnePlace } from '../shell/environment.ts';
import { type Given, requiredText, toggle } from '../shell/inputs.ts';
import { printable } from '../shell/printable.ts';
import { showCount } from '../shell/progress.ts';
import { fleetInForce, openState, type State } from '../shell/state.ts';
import { say, span, tell } from '../shell/terminal.ts';
import { hubsWithIdentity } from './identities.ts';
import { partsThatName, rowLines, type StoredOfDevice, sumOf, undeletableLines } from './stored-text.ts';

const INPUTS = {
  '<device>': requiredText('the device id, which is case-sensitive'),
  '--keep-out': toggle('the device keeps working: store nothing about it from now on, but a hash of its id'),
  '--store-again': toggle('end --keep-out: let Berth store the device again'),
  '--yes': toggle('delete; without it, the command only shows what would be deleted'),
};

/** `berth forget`: deletes all that is stored of one device. */
export function registerForget(berth: CommandGroup): void {
  berth.command({
    name: 'forget',
    description: 'delete all that is stored of one device; without --yes, show what would be deleted',
    inputs: INPUTS,
    example: 'berth forget pump-7 --yes',
    changes: true,
    run: forgetDevice,
  });
}

async function forgetDevice(cli: Cli, options: Given<typeof INPUTS>): Promise<number> {
  const { terminal, env } = cli;
  const { device, keepOut, storeAgain, yes } = options;
  if (keepOut && storeAgain) throw invalid('Give --keep-out or --store-again, not both.');
  const state = openState(env);
  if (storeAgain) return storeDeviceAgain(cli, state, device, yes);
  if (keepOut) await refuseDisabled(state, device);
  else await refuseExisting(state, env, device);
  if (!yes) {
    const found = await findStored(cli, state, device);
    for (const line of rowLines(found)) say(terminal, line);
    const what = keepOut ? 'keep the device out and delete this' : 'delete this';
    tell(
      terminal,
      sumOf(found) === 0 && !keepOut
        ? `Nothing is stored of ${printable(device)}. Check the id, which is case-sensitive.`
        : `Nothing was deleted: add --yes to ${what}.`,
    );
  } else {
    if (keepOut) await keepDeviceOut(cli, state, device);
    const deleted = await deleteStored(cli, state, device);
    for (const line of rowLines(deleted)) say(terminal, line);
    tell(
      terminal,
      sumOf(deleted) === 0 ? `Nothing was stored of ${printable(device)}.` : 'Deleted: the rows above.',
    );
  }
  for (const line of undeletableLines(await partsThatName(state, device))) tell(terminal, line);
  tell(terminal, `State: ${state.place}.`);
  return 0;
}

async function refuseExisting(state: State, env: Cli['env'], device: string): Promise<void> {
  requireOnePlace(env);
  const hosts = await hubsWithIdentity(await fleetInForce(state), env, device);
  if (hosts.length === 0) return;
  throw new BerthError(
    'BERTH_DEVICE_EXISTS',
    `${hosts.join(', ')} has the identity of ${printable(device)}, so Berth would store it again with its next event. Nothing was deleted. Delete the identity first, or add --keep-out.`,
  );
}

/** Without its record, Berth could not enable the device again. */
async function refuseDisabled(state: State, device: string): Promise<void> {
  const hosts = (await disabledOf(state, device)).filter(isOut).map(({ host }) => host);
  if (hosts.length === 0) return;
  throw new BerthError(
    'BERTH_DEVICE_DISABLED',
    `"berth hub drain --disable-silent" has disabled ${printable(device)} in ${hosts.join(', ')}, and without the record Berth could not enable it again. Nothing was deleted. Run this first: berth hub drain ${hosts[0]} --enable-again.`,
  );
}

async function disabledOf({ disabledDevices }: State, device: string): Promise<readonly DisabledDevice[]> {
  const { devices } = await disabledDevices.list();
  return devices.filter(({ deviceId }) => deviceId === device);
}

/** From the moment that this returns, no instance stores the device again. */
async function keepDeviceOut({ terminal, now, wait = setTimeout }: Cli, state: State, device: string) {
  const isNew = await state.keptOut.add(device, await state.author(), now());
  tell(
    terminal,
    `${printable(device)} is kept out${isNew ? '' : ' already'}: Berth keeps a hash of its id, and stores nothing else about it.`,
  );
  tell(terminal, `Waiting ${span(KEPT_OUT_SETTLED_MS)}, until every instance knows that.`);
  await wait(KEPT_OUT_SETTLED_MS);
}

async function storeDeviceAgain({ terminal }: Cli, state: State, device: string, yes: boolean) {
  const isKeptOut = await state.keptOut.has(device);
  if (isKeptOut && yes) await state.keptOut.remove(device);
  tell(
    terminal,
    !isKeptOut
      ? `${printable(device)} is not kept out.`
      : yes
        ? `${printable(device)} is stored again from its next event on, within a minute. To read its twin at once, run berth resync --hub HOST.`
        : `${printable(device)} is kept out. Nothing was changed: add --yes to store it again.`,
  );
  tell(terminal, `State: ${state.place}.`);
  return 0;
}

async function findStored(cli: Cli, state: State, device: string): Promise<StoredOfDevice> {
  return {
    rows: await state.eraser.find(device),
    receipts: (await collect(cli, 'receipts', state.receipts.keysOf(device))).length,
    deadLetters: (await collect(cli, 'dead letters', state.deadLetters.keysOf(device))).length,
    disabled: await disabledOf(state, device),
  };
}

async function deleteStored(cli: Cli, state: State, device: string): Promise<StoredOfDevice> {
  const now: EpochMs = cli.now();
  const rows = await state.eraser.erase(device, now);
  const receipts = await collect(cli, 'receipts', state.receipts.keysOf(device));
  await state.receipts.delete(receipts);
  const deadLetters = await collect(cli, 'dead letters', state.deadLetters.keysOf(device));
  await state.deadLetters.delete(deadLetters);
  const disabled = await disabledOf(state, device);
  for (const record of disabled) await state.disabledDevices.remove(record);
  return { rows, receipts: receipts.length, deadLetters: deadLetters.length, disabled };
}

/** Both tables are read completely, so the terminal shows that the command works. */
async function collect<Key>(
  { terminal }: Cli,
  what: string,
  keys: AsyncIterable<Key>,
): Promise<readonly Key[]> {
  const progress = showCount(terminal, `${what} found`);
  const found: Key[] = [];
  try {
    progress.show(0);
    for await (const key of keys) {
      found.push(key);
      progress.show(found.length);
    }
  } finally {
    progress.end();
  }
  return found;
}
