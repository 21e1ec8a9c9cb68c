import type { LocalLog } from '../log.ts';
import type { Screen } from '../view/screen.ts';

/** A log of warnings and errors on the screen. */
export function logTo(screen: Screen): LocalLog {
  return {
    info: () => {},
    warn: (message) => screen.line(message),
    error: (message) => screen.line(message),
  };
}

/** The line about files that `--fresh` kept. */
export function keptLine(directory: string, paths: readonly string[]): string {
  const names = paths.slice(0, 3).join(', ') + (paths.length > 3 ? `, and ${paths.length - 3} more` : '');
  return `Kept in ${directory}, because Berth did not make it: ${names}`;
}

/** The time since the start, in front of a line. @param startedAt milliseconds since the epoch */
export function elapsed(startedAt: number): string {
  return `${((Date.now() - startedAt) / 1_000).toFixed(1).padStart(5)} s`;
}
