import type { Environment } from '../../settings/settings.ts';
import type { Terminal } from './terminal.ts';

/** What a command works with. */
export interface Cli {
  readonly terminal: Terminal;
  readonly env: Environment;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}
