import type { Pause, Scope } from '../../control/control.ts';
import { pauseFor, withPause } from '../../control/pauses.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { DEPLOYED_FLEET, type Given, reason, text } from '../shell/inputs.ts';
import { openState } from '../shell/state.ts';
import { tell } from '../shell/terminal.ts';
import { readScope, refuseUnknown, scopeText } from './pause-scope.ts';
import { pauseLines, pauseText } from './pause-text.ts';

const INPUTS = {
  '--hub <host>': text('pause only writes to this hub'),
  '--policy <name>': text('pause only writes of this policy'),
  '--reason <text>': reason('the reason, shown with the pause'),
  ...DEPLOYED_FLEET,
};

/** `berth pause`: stops writes to the fleet, to a hub or of a policy until `berth resume`. */
export function registerPause(berth: CommandGroup): void {
  berth.command({
    name: 'pause',
    description: 'stop writes to the fleet, to a hub or of a policy until "berth resume"',
    inputs: INPUTS,
    example: 'berth pause --policy battery-saver --reason "sensor reads low"',
    changes: true,
    run: pause,
  });
}

async function pause({ terminal, env, now }: Cli, options: Given<typeof INPUTS>): Promise<number> {
  const scope = readScope(options);
  const state = openState(env);
  await refuseUnknown(scope, state, options.fleet, env);
  const wanted: Pause = { author: await state.author(), reason: options.reason, at: now() };

  const control = await state.control.update((row) => withPause(row, scope, wanted));

  const found = pauseFor(control, scope) ?? wanted;
  if (found.at !== wanted.at || found.author !== wanted.author) {
    tell(terminal, `${scopeText(scope)} is already paused ${pauseText(found, now())}.`);
    tell(terminal, `Nothing was changed. State: ${state.place}.`);
    return 0;
  }
  tell(terminal, `${scopeText(scope)} is paused, by ${found.author}: ${options.reason}.`);
  tell(terminal, effectOf(scope));
  for (const line of pauseLines(control, othersThan(scope), now())) tell(terminal, `Also: ${line}`);
  tell(terminal, `State: ${state.place}.`);
  return 0;
}

/** The other kinds of pauses that affect the same twins. */
function othersThan({ kind }: Scope): readonly Scope['kind'][] {
  return kind === 'fleet' ? [] : ['fleet'];
}

function effectOf(scope: Scope): string {
  switch (scope.kind) {
    case 'fleet':
      return 'Within 30 seconds, Berth stops writing to all hubs. It still applies events. Work items wait and rollouts stop until "berth resume".';
    case 'hub':
      return `Within 30 seconds, Berth stops writing to this hub. It still applies the events of the hub. Work items of the hub wait and its rollouts stop until "berth resume --hub ${scope.host}".`;
    case 'policy':
      return `Within 30 seconds, this policy stops writing. It keeps its paths, so no other policy writes them. Its corrections are held and its rollout stops until "berth resume --policy ${scope.name}".`;
  }
}
