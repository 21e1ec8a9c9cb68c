import type { Policy } from '../fleet/fleet.ts';
import type { HostName } from '../iot-hub/host-name.ts';
import { ownEntry } from '../json/json.ts';
import type { Control, PastPause, Pause, Scope } from './control.ts';
import { withoutEntry } from './entries.ts';

/** How many past pauses are stored. The oldest are removed first. */
const MAX_PAST_PAUSES = 500;

/** The pause that stops writes to a hub. Undefined: there is none. */
export function pauseOf(control: Control, host: HostName): Pause | undefined {
  return control.fleet ?? pauseFor(control, { kind: 'hub', host });
}

/** The control row with a pause. If the scope is paused already, the earlier pause stays. */
export function withPause(control: Control, scope: Scope, pause: Pause): Control {
  if (pauseFor(control, scope) !== undefined) return control;
  switch (scope.kind) {
    case 'fleet':
      return { ...control, fleet: pause };
    case 'hub':
      return { ...control, hubs: { ...control.hubs, [scope.host]: pause } };
    case 'policy':
      return { ...control, policies: { ...control.policies, [scope.name]: pause } };
  }
}

/**
 * The control row without a pause. The past pause is stored, because paused time does not count for rollouts.
 *
 * @param by who resumes, when and why.
 */
export function withoutPause(control: Control, scope: Scope, by: Pause): Control {
  const pause = pauseFor(control, scope);
  if (pause === undefined) return control;
  const { at: from, ...began } = pause;
  const { at: to, author, reason } = by;
  const past: PastPause = { ...began, scope: scopeKey(scope), from, to, resumed: { author, reason } };
  const pastPauses = [...control.pastPauses, past].slice(-MAX_PAST_PAUSES);
  const resumed = { ...control, pastPauses };
  switch (scope.kind) {
    case 'fleet':
      return { ...resumed, fleet: undefined };
    case 'hub':
      return { ...resumed, hubs: withoutEntry(control.hubs, scope.host) };
    case 'policy':
      return {
        ...resumed,
        policies: withoutEntry(control.policies, scope.name),
        seen: pause.content === undefined ? control.seen : trusting(control.seen, pause.content),
        // Held corrections have no work item, so every twin must be reconciled again.
        generation: control.generation + 1,
        changedAt: by.at,
      };
  }
}

/** Whether an operator resumed this content of a policy after it had paused itself. It does not pause itself again. */
export function isTrusted(control: Control, { hash: content }: Pick<Policy, 'hash'>): boolean {
  return ownEntry(control.seen, content)?.isTrusted === true;
}

/** The last past pause of a scope. */
export function lastPauseOf({ pastPauses }: Control, scope: Scope): PastPause | undefined {
  const key = scopeKey(scope);
  return pastPauses.findLast((past) => past.scope === key);
}

export function pauseFor(control: Control, scope: Scope): Pause | undefined {
  switch (scope.kind) {
    case 'fleet':
      return control.fleet;
    case 'hub':
      return ownEntry(control.hubs, scope.host);
    case 'policy':
      return ownEntry(control.policies, scope.name);
  }
}

export function scopeKey(scope: Scope): string {
  switch (scope.kind) {
    case 'fleet':
      return 'fleet';
    case 'hub':
      return `hub:${scope.host}`;
    case 'policy':
      return `policy:${scope.name}`;
  }
}

/** Marks the content as trusted, but only while it is in the fleet file. */
function trusting(seen: Control['seen'], content: string): Control['seen'] {
  const entry = ownEntry(seen, content);
  if (entry === undefined || entry.leftAt !== undefined) return seen;
  return { ...seen, [content]: { ...entry, isTrusted: true } };
}
