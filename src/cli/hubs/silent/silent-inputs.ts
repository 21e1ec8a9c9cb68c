import { parseDuration } from '../../../time/duration.ts';
import { givenFlags, invalid, readReason } from '../../shell/arguments.ts';
import type { Cli } from '../../shell/cli.ts';
import { type Given, optional, toggle, wholeNumber } from '../../shell/inputs.ts';
import { disableSilent } from './disable-silent.ts';
import { enableAgain } from './enable-again.ts';

const WAVE = 20;
const WAIT = '15m';
const MOST_LOST = '5%';

/** The inputs of `berth hub drain` that disable silent devices, or enable them again. */
export const SILENT_INPUTS = {
  '--disable-silent': toggle(
    'disable devices that stay, so that they lose their connection and register again; enable again what does not move',
  ),
  '--reason <text>': optional('the reason, stored with each device that is disabled', (text, reading) =>
    text === undefined ? undefined : readReason(text, reading),
  ),
  '--wave <n>': wholeNumber(1, `devices that are disabled at the same time (default: ${WAVE})`),
  '--wait <duration>': optional(
    `how long a device has to register, and then to connect again (default: ${WAIT})`,
    (text = WAIT, { name }) => readWait(name, text),
  ),
  '--most-lost <percent>': optional(
    `stop if more of a wave stay lost (default: ${MOST_LOST})`,
    (text = MOST_LOST, { name }) => readPercent(name, text),
  ),
  '--again': toggle('also disable devices again that did not move in an earlier run of this drain'),
  '--yes': toggle('do it; without it, the command only shows the plan'),
  '--enable-again': toggle('enable at once what an earlier run has disabled'),
};

/** All inputs of the command, as far as they matter here. */
type SilentOptions = Given<typeof SILENT_INPUTS> & {
  readonly host: string;
  readonly json: boolean;
  readonly watch: boolean;
  readonly list: string | undefined;
};

/** Whether the command is about silent devices, and not the list of the drain. */
export function isAboutSilent({ disableSilent, enableAgain: enables, ...given }: SilentOptions): boolean {
  if (disableSilent || enables) return true;
  const others = givenFlags({
    '--reason': given.reason,
    '--wave': given.wave,
    '--again': given.again,
    '--yes': given.yes,
  });
  if (others.length > 0)
    throw invalid(`Only --disable-silent takes ${others.join(' and ')}: add it, or leave out the rest.`);
  return false;
}

/**
 * Disables silent devices, or enables again what an earlier run has disabled.
 *
 * @throws BerthError `BERTH_ARGUMENT_INVALID` if the inputs do not belong together
 */
export async function runSilent(cli: Cli, given: SilentOptions): Promise<number> {
  const { host, reason, json, again, yes, wave, wait: waitMs, mostLost } = given;
  const other = given.enableAgain ? '--enable-again' : '--disable-silent';
  const others = givenFlags({
    '--list': given.list,
    '--watch': given.watch,
    ...(given.enableAgain && { '--disable-silent': given.disableSilent, '--again': again }),
  });
  if (others.length > 0) throw invalid(`${other} cannot be combined with ${others.join(' and ')}.`);
  if (given.enableAgain) return enableAgain(cli, { host, waitMs, json });
  if (reason === undefined)
    throw invalid('--disable-silent needs --reason TEXT, which is stored with each device.');
  return disableSilent(cli, { host, reason, wave: wave ?? WAVE, waitMs, mostLost, again, yes, json });
}

/** DPS and the hub need some seconds for a move, and a device that connects over AMQP may need minutes. */
const SHORTEST_WAIT_MS = 10_000;
const LONGEST_WAIT_MS = 24 * 3_600_000;

function readWait(name: string, text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms >= SHORTEST_WAIT_MS && ms <= LONGEST_WAIT_MS) return ms;
  throw invalid(`${name} is "${text}": write a duration from 10s to 24h, such as ${WAIT}.`);
}

function readPercent(name: string, text: string): number {
  const found = /^(\d{1,3}(?:\.\d+)?)%?$/.exec(text);
  const percent = found === null ? Number.NaN : Number(found[1]);
  if (percent <= 100) return percent / 100;
  throw invalid(`${name} is "${text}": write a number of percent from 0 to 100, such as ${MOST_LOST}.`);
}
