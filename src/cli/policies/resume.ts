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
  '--hub <host>': text('the pause of this hub'),
  '--policy <name>': text('the pause of this policy'),
  '--reason <text>': reason('the reason, kept with the pause that ends'),
  ...DEPLOYED_FLEET,
};

/** `berth resume`: ends a pause. Also of what is in the fleet file no more. */
export function registerResume(berth: CommandGroup): void {
  berth.command({
    name: 'resume',
    description: 'end a pause, also of a policy that paused itself',
    inputs: INPUTS,
    run: resume,
  });
}

async function resume({ terminal, env, now }: Cli, options: Given<typeof INPUTS>): Promise<number> {
  const scope = readScope(options);
  const state = openState(env);
  if (pauseFor(await state.control.read(), scope) === undefined) refuseUnknown(scope, options.fleet, env);
  const by: Pause = { author: await state.author(), reason: options.reason, at: now() };

  const control = await state.control.update((row) => withoutPause(row, scope, by));

  const last = lastPauseOf(control, scope);
  if (last === undefined || last.to !== by.at || last.resumed?.author !== by.author) {
    tell(terminal, `${scopeText(scope)} is not paused, and nothing was changed.${lastText(last, now())}`);
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

/** The kinds of pauses that keep from being written what one of this kind kept from it. */
function othersThan({ kind }: Scope): readonly Scope['kind'][] {
  const kinds: readonly Scope['kind'][] = ['fleet', 'hub', 'policy'];
  return kinds.filter((other) => other !== kind);
}

function lastText(last: PastPause | undefined, now: EpochMs): string {
  if (last?.resumed === undefined) return '';
  const { author, reason } = last.resumed;
  return ` It was resumed ${span(now - last.to)} ago, by ${printable(author)}: ${printable(reason)}.`;
}

function pastText({ from, to, author = 'somebody', reason = 'no reason' }: PastPause): string {
  return `It was paused from ${moment(from)} to ${moment(to)} (${span(to - from)}), by ${printable(author)}: ${printable(reason)}.`;
}

function effectOf({ kind }: Scope): string {
  switch (kind) {
    case 'fleet':
    case 'hub':
      return 'Within a minute what is due is written, and rollouts go on where they stood.';
    case 'policy':
      return 'Its rollout goes on where it stood. After a minute or two its twins are reconciled again, and what it held is due.';
  }
}

function trustText(control: Control, content: string): string {
  return isTrusted(control, { hash: content })
    ? 'It had paused itself. It will not do so again until its content changes.'
    : 'It had paused itself with another content than it has now. With this one it pauses itself if too many devices reject it.';
}
