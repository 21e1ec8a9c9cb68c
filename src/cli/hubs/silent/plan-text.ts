import type { HostName } from '../../../iot-hub/host-name.ts';
import type { DisabledDevice } from '../../../silent-devices/disabled-device.ts';
import type { LeaveReason } from '../../../silent-devices/drain-choice.ts';
import { printable } from '../../shell/printable.ts';
import { plural, say, type Terminal } from '../../shell/terminal.ts';
import type { DrainPlan } from './plan.ts';
import { LEAVE_TEXTS, PHASE_TEXTS } from './texts.ts';

/** The ids that a line shows. `--json` has all. */
const MOST_SHOWN = 10;

/** Writes what the command would do, and why it leaves the other devices alone. */
export function sayDrainPlan(
  terminal: Terminal,
  host: HostName,
  { disable, leave }: DrainPlan,
  before: readonly DisabledDevice[],
): void {
  const ids = disable.map(({ deviceId }) => deviceId);
  say(terminal, `${plural(ids.length, 'device')} of ${host} to disable now${listText(ids)}`);
  const reasons = [...new Set(leave.map(({ why }) => why))];
  for (const reason of reasons) {
    const left = leave.filter(({ why }) => why === reason).map(({ deviceId }) => deviceId);
    say(terminal, `${plural(left.length, 'device')} left alone${listText(left)}`);
    say(terminal, `  ${LEAVE_TEXTS[reason]}`);
  }
  for (const { deviceId, phase, reason, author } of before) {
    say(
      terminal,
      `${printable(deviceId)}: ${PHASE_TEXTS[phase]} (by ${printable(author)}: ${printable(reason)})`,
    );
  }
}

function listText(ids: readonly string[]): string {
  if (ids.length === 0) return '.';
  const more = ids.length > MOST_SHOWN ? `, and ${ids.length - MOST_SHOWN} more` : '';
  return `: ${ids.slice(0, MOST_SHOWN).map(printable).join(', ')}${more}.`;
}

/** The plan for `--json`. */
export function drainPlanJson({ disable, leave }: DrainPlan, before: readonly DisabledDevice[]) {
  return {
    disable: disable.map(({ deviceId, registration: { registrationId } }) => ({ deviceId, registrationId })),
    leave: leave.map(({ deviceId, why }): { deviceId: string; why: LeaveReason; text: string } => ({
      deviceId,
      why,
      text: LEAVE_TEXTS[why],
    })),
    recorded: before.map(({ deviceId, registrationId, phase, disabledAt, enabledAt, author, reason }) => ({
      deviceId,
      registrationId,
      phase,
      disabledAt: new Date(disabledAt).toISOString(),
      enabledAt: enabledAt === null ? null : new Date(enabledAt).toISOString(),
      author,
      reason,
    })),
  };
}
