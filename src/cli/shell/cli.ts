import type { Environment } from '../../settings/settings.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import type { Terminal } from './terminal.ts';

/** What a command works with. */
export interface Cli {
  readonly terminal: Terminal;
  readonly env: Environment;
  readonly now: () => EpochMs;
  /** Ends a command that runs until it is stopped. Default: Ctrl-C. */
  readonly ending?: AbortSignal;
  /** Waits between two readings. Default: a timer. */
  readonly wait?: (ms: number) => Promise<void>;
}
