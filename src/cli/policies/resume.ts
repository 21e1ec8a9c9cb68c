import type { Control, PastPause, Pause, Scope } from '../../control/control.ts';
import { isTrusted, lastPauseOf, pauseFor, withoutPause } from '../../control/pauses.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { DEPLOYED_FLEET, type Given, reason, text } from '../shell/inputs.ts';
import { printable } from '../shell/printable.ts';
import { openState } from '../shell/state.ts';
import { moment, span, tell } from '../shell/terminal.ts';
import { readScope, refuseUnknown, scopeText } from './pause-scope.ts';
import { pauseLines } from './pause-text.ts';

const INPUTS = {
  '--hub <host>': text('end the pause of this hub'),
  '--policy <name>': text('end the pause of this policy'),
  '--reason <text>': reason('the reason, stored with the pause that ends'),
  ...DEPLOYED_FLEET,
};

/** `berth resume`: ends a pause, also of a hub or a policy that the fleet file no longer defines. */
export function registerResume(berth: CommandGroup): void {
  berth.command({
    name: 'resume',
    description: 'end a pause, also the pause of a policy that paused itself',
    inputs: INPUTS,
    example: 'berth resume --policy battery-saver --reason "sensors corrected"',
    changes: true,
    run: resume,
  });
}

async function resume({ terminal, env, now }: Cli, options: Given<typeof INPUTS>): Promise<number> {
  const scope = readScope(options);
  const state = openState(env);
  if (pauseFor(await state.control.read(), scope) === undefined)
    await refuseUnknown(scope, state, options.fleet, env);
  const by: Pause = { author: await state.author(), reason: options.reason, at: now() };

  const control = await state.control.update((row) => withoutPause(row, scope, by));

  const last = lastPauseOf(control, scope);
  if (last === undefined || last.to !== by.at || last.resumed?.author !== by.author) {
    tell(terminal, `${scopeText(scope)} is not paused. Nothing was changed.${lastText(last, now())}`);
  } else {
    tell(terminal, `${scopeText(scope)} is resumed, by ${by.author}: ${options.reason}.`);
    tell(terminal, pastText(last));
    tell(terminal, effectOf(scope));
    if (last.content !== undefined) tell(terminal, trustText(control, last.content));
  }
  for (const line of pauseLines(control, othersThan(scope), now())) tell(terminal, `Still: ${line}`);
  tell(terminal, `State: ${state.place}.`);
  return 0;
}

/** The other kinds of pauses, which may still block the same writes. */
function othersThan({ kind }: Scope): readonly Scope['kind'][] {
  const kinds: readonly Scope['kind'][] = ['fleet', 'hub', 'policy'];
  return kinds.filter((other) => other !== kind);
}

function lastText(last: PastPause | undefined, now: EpochMs): string {
  if (last?.resumed === undefined) return '';
  const { author, reason } = last.resumed;
  return ` It was resumed ${span(now - last.to)} ago, by ${printable(author)}: ${printable(reason)}.`;
}

function pastText({ from, to, author = 'unknown author', reason = 'no reason' }: PastPause): string {
  return `It was paused from ${moment(from)} to ${moment(to)} (${span(to - from)}), by ${printable(author)}: ${printable(reason)}.`;
}

function effectOf({ kind }: Scope): string {
  switch (kind) {
    case 'fleet':
    case 'hub':
      return 'Within a minute, Berth writes what waited, and rollouts continue from where they stopped.';
    case 'policy':
      return 'Its rollout continues from where it stopped. Within two minutes, Berth reconciles its twins again and writes what was held.';
  }
}

function trustText(control: Control, content: string): string {
  return isTrusted(control, { hash: content })
    ? 'The policy had paused itself. It does not pause itself again until its content changes.'
    : 'The policy had paused itself with different content. It pauses itself again if too many devices reject the present content.';
}
