import type { EnrollmentKind } from '../../dps/port.ts';
import { withoutKey } from '../../dps/webhook-url.ts';
import { attestationText } from '../../enroll/differences.ts';
import type { EnrollmentStep, UnknownKey } from '../../enroll/plan.ts';
import type { PlanKey } from '../../enroll/wanted.ts';
import { printable } from '../shell/printable.ts';
import { say, type Terminal } from '../shell/terminal.ts';

const ACTIONS = ['create', 'update', 'unchanged', 'only in DPS'] as const;
const WIDTH = Math.max(...ACTIONS.map((action) => action.length));

/** A step of a plan, whose keys may be unknown. */
type PlanStep = EnrollmentStep<PlanKey>;

/**
 * Writes one line for each step, and below it the changed fields and the keys that it does not know. No line
 * contains a key.
 */
export function sayPlan(terminal: Terminal, steps: readonly PlanStep[]): void {
  const below = (text: string) => say(terminal, `${' '.repeat(WIDTH)}    ${text}`);
  for (const step of steps) {
    say(terminal, `${step.action.padEnd(WIDTH)}  ${nameOf(step)}`);
    if (step.action === 'create') below(created(step));
    if (step.action === 'update')
      for (const { field, from, to } of step.differences)
        below(`${field}: ${printable(from)} -> ${printable(to)}`);
    for (const { field, why } of unknownKeysOf(step))
      below(
        isReplaced(step) ? `${field}: apply needs it, and ${why}` : `${field}: not compared, because ${why}`,
      );
  }
}

/** The keys that the plan does not know. */
export function unknownKeysOf(step: PlanStep): readonly UnknownKey[] {
  return step.action === 'only in DPS' ? [] : step.unknownKeys;
}

/** Whether DPS has no keys of this kind yet, so that there is nothing to compare. */
function isReplaced(step: PlanStep): boolean {
  return (
    step.action === 'create' ||
    (step.action === 'update' && step.differences.some(({ field }) => field === 'attestation'))
  );
}

/** `2 to create, 1 to update, 5 unchanged, 1 only in DPS` */
export function countsText(steps: readonly PlanStep[]): string {
  const count = (action: PlanStep['action']) => steps.filter((step) => step.action === action).length;
  return `${count('create')} to create, ${count('update')} to update, ${count('unchanged')} unchanged, ${count('only in DPS')} only in DPS`;
}

/** The plan as JSON, for programs. */
export function planJson(steps: readonly PlanStep[]): unknown {
  return steps.map((step) => {
    const unknownKeys = unknownKeysOf(step);
    return {
      action: step.action,
      ...idOf(step),
      ...(step.action === 'update' && { differences: step.differences }),
      ...(unknownKeys.length > 0 && { unknownKeys }),
    };
  });
}

/** `group fleet` */
export function nameOf(step: PlanStep): string {
  return named(idOf(step));
}

export function named({ kind, id }: { readonly kind: EnrollmentKind; readonly id: string }): string {
  return `${kind} ${printable(id)}`;
}

function idOf(step: PlanStep): { readonly kind: EnrollmentKind; readonly id: string } {
  const { kind, id } = step.action === 'create' ? step.wanted : step.record;
  return { kind, id };
}

function created({ wanted }: Extract<PlanStep, { action: 'create' }>): string {
  const { attestation, terms, webhook } = wanted;
  const where = webhook === undefined ? '' : ` at ${withoutKey(webhook.url)}`;
  const hubs = terms.iotHubs.length === 0 ? '' : `, hubs ${terms.iotHubs.join(', ')}`;
  const keys =
    attestation.type === 'symmetricKey' && attestation.keys === undefined ? ' (DPS generates the keys)' : '';
  const status = terms.enabled ? '' : ', disabled';
  return `${attestationText(attestation)}${keys}, ${terms.allocationPolicy}${where}${hubs}, ${terms.reprovisioning}${status}`;
}
