import type { EnrollmentKind } from '../../dps/port.ts';
import { withoutKey } from '../../dps/webhook-url.ts';
import { attestationText } from '../../enroll/differences.ts';
import type { EnrollmentStep } from '../../enroll/plan.ts';
import { printable } from '../shell/printable.ts';
import { say, type Terminal } from '../shell/terminal.ts';

const ACTIONS = ['create', 'update', 'unchanged', 'only in DPS'] as const;
const WIDTH = Math.max(...ACTIONS.map((action) => action.length));

/** Writes one line for each step, and the changed fields below an update. No line contains a key. */
export function sayPlan(terminal: Terminal, steps: readonly EnrollmentStep[]): void {
  for (const step of steps) {
    say(terminal, `${step.action.padEnd(WIDTH)}  ${nameOf(step)}`);
    if (step.action === 'create') say(terminal, `${' '.repeat(WIDTH)}    ${created(step)}`);
    if (step.action !== 'update') continue;
    for (const { field, from, to } of step.differences) {
      say(terminal, `${' '.repeat(WIDTH)}    ${field}: ${printable(from)} -> ${printable(to)}`);
    }
  }
}

/** `2 to create, 1 to update, 5 unchanged, 1 only in DPS` */
export function countsText(steps: readonly EnrollmentStep[]): string {
  const count = (action: EnrollmentStep['action']) => steps.filter((step) => step.action === action).length;
  return `${count('create')} to create, ${count('update')} to update, ${count('unchanged')} unchanged, ${count('only in DPS')} only in DPS`;
}

/** The plan as JSON, for programs. */
export function planJson(steps: readonly EnrollmentStep[]): unknown {
  return steps.map((step) => ({
    action: step.action,
    ...idOf(step),
    ...(step.action === 'update' && { differences: step.differences }),
  }));
}

/** `group fleet` */
export function nameOf(step: EnrollmentStep): string {
  return named(idOf(step));
}

export function named({ kind, id }: { readonly kind: EnrollmentKind; readonly id: string }): string {
  return `${kind} ${printable(id)}`;
}

function idOf(step: EnrollmentStep): { readonly kind: EnrollmentKind; readonly id: string } {
  const { kind, id } = step.action === 'create' ? step.wanted : step.record;
  return { kind, id };
}

function created({ wanted }: Extract<EnrollmentStep, { action: 'create' }>): string {
  const { attestation, terms, webhook } = wanted;
  const where = webhook === undefined ? '' : ` at ${withoutKey(webhook.url)}`;
  const hubs = terms.iotHubs.length === 0 ? '' : `, hubs ${terms.iotHubs.join(', ')}`;
  const keys =
    attestation.type === 'symmetricKey' && attestation.keys === undefined ? ' (DPS generates the keys)' : '';
  const status = terms.enabled ? '' : ', disabled';
  return `${attestationText(attestation)}${keys}, ${terms.allocationPolicy}${where}${hubs}, ${terms.reprovisioning}${status}`;
}
