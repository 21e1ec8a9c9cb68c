import type { FleetProgress } from '../progress.ts';
import { duration } from './text.ts';

/** The progress of the devices in one line. */
export function progressLine(progress: FleetProgress, reasons: readonly string[], elapsedMs: number): string {
  const all = progress.devices.size;
  const registered = progress.count(({ hub }) => hub !== undefined);
  const reported = progress.count(({ reports }) => reports >= 2);
  const answered = progress.count(({ answer }) => answer !== undefined);
  const waiting = reasons[0] === undefined ? '' : `; waiting: ${reasons[0]}`;
  return `${duration(elapsedMs)}: ${registered}/${all} registered, ${reported}/${all} reported twice, ${answered}/${all} answered${waiting}`;
}
