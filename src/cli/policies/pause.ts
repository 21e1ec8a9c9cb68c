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
  '--hub <host>': text('only to this hub'),
  '--policy <name>': text('only by this policy'),
  '--reason <text>': reason('the reason, shown with the pause'),
  ...DEPLOYED_FLEET,
};

/** `berth pause`: nothing is written to the fleet, to a hub or by a policy until it is resumed. */
export function registerPause(berth: CommandGroup): void {
  berth.command({
    name: 'pause',
    description: 'write nothing, to the fleet, to a hub or by a policy, until it is resumed',
    inputs: INPUTS,
    run: pause,
  });
}

async function pause({ terminal, env, now }: Cli, options: Given<typeof INPUTS>): Promise<number> {
  const scope = readScope(options);
  refuseUnknown(scope, options.fleet, env);
  const state = openState(env);
  const wanted: Pause = { author: await state.author(), reason: options.reason, at: now() };

  const control = await state.control.update((row) => withPause(row, scope, wanted));

  const found = pauseFor(control, scope) ?? wanted;
  if (found.at !== wanted.at || found.author !== wanted.author) {
    tell(terminal, `${scopeText(scope)} is paused already, ${pauseText(found, now())}.`);
    tell(terminal, `It stays so, and nothing was changed. State: ${state.place}.`);
    return 0;
  }
  tell(terminal, `${scopeText(scope)} is paused, by ${found.author}: ${options.reason}.`);
  tell(terminal, effectOf(scope));
  for (const line of pauseLines(control, othersThan(scope), now())) tell(terminal, `Also: ${line}`);
  tell(terminal, `State: ${state.place}.`);
  return 0;
}

/** The kinds of pauses that concern the same twins besides one of this kind. */
function othersThan({ kind }: Scope): readonly Scope['kind'][] {
  return kind === 'fleet' ? [] : ['fleet'];
}

function effectOf(scope: Scope): string {
  switch (scope.kind) {
    case 'fleet':
      return 'From 30 s on nothing is written to any hub. Events are still taken in; what is due waits, and rollouts stand still, until "berth resume".';
    case 'hub':
      return `From 30 s on nothing is written to it. Its events are still taken in; what is due there waits, and rollouts stand still there, until "berth resume --hub ${scope.host}".`;
    case 'policy':
      return `From 30 s on it writes nothing. It keeps its paths, so that no other policy takes them; what it would write waits, and its rollout stands still, until "berth resume --policy ${scope.name}".`;
  }
}
