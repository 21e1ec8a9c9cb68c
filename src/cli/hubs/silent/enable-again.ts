import { isOpen } from '../../../silent-devices/disabled-device.ts';
import type { Cli } from '../../shell/cli.ts';
import { plural, say, sayJson, tell } from '../../shell/terminal.ts';
import { requireNoneOut } from './disable-silent.ts';
import { followDevices } from './follow.ts';
import { storedDevices } from './plan.ts';
import { withDrainSession } from './session.ts';
import { resultText } from './texts.ts';

/** What an operator asks of `berth hub drain --enable-again`. */
export interface EnableAgain {
  readonly host: string;
  /** After this time without a connection, a device that was enabled before counts as lost. */
  readonly waitMs: number;
  readonly json: boolean;
}

/**
 * `berth hub drain --enable-again`: enables at once what an earlier run has disabled and not enabled yet. The hub need not drain any
 * more.
 */
export function enableAgain(cli: Cli, { host: name, waitMs, json }: EnableAgain): Promise<number> {
  return withDrainSession(cli, name, waitMs, async (session) => {
    const { state, tools } = session;
    const open = (await storedDevices(session)).filter(isOpen);
    await session.begin();
    const followed = await followDevices({ ...tools, isEnding: () => true }, open);
    requireNoneOut(session, followed);
    if (followed.failure !== undefined) throw followed.failure;
    const results = Object.fromEntries(followed.results);
    const enabled = followed.open.map(({ deviceId }) => deviceId);
    if (json) sayJson(cli.terminal, { host: tools.host, results, enabled });
    else {
      for (const [deviceId, result] of followed.results)
        say(cli.terminal, `${deviceId}: ${resultText(result)}`);
      for (const deviceId of enabled) say(cli.terminal, `${deviceId}: enabled again`);
    }
    tell(
      cli.terminal,
      open.length === 0
        ? `No device of ${tools.host} is disabled by an earlier run.`
        : `${plural(open.length, 'device')} of an earlier run looked at. State: ${state.place}.`,
    );
    return 0;
  });
}
