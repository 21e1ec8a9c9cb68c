import type { Environment } from '../../settings/settings.ts';
import type { Terminal } from './terminal.ts';

/** What a command works with. */
export interface Cli {
  readonly terminal: Terminal;
  readonly env: Environment;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Ends a command that runs until it is stopped. Default: Ctrl-C. */
  readonly ending?: AbortSignal;
  /** Waits between two readings. Default: a timer. */
  readonly wait?: (ms: number) => Promise<void>;
}
