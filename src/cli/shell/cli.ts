import type { Environment } from '../../settings/settings.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import type { Terminal } from './terminal.ts';

/** What a command works with. */
export interface Cli {
  readonly terminal: Terminal;
  readonly env: Environment;
  readonly now: () => EpochMs;
  /** Called before a command runs, with whether it changes something. It then finishes even if its output is no longer read. */
  readonly begins?: (changes: boolean) => void;
  /** Ends a command that runs until it is stopped. Default: Ctrl-C. */
  readonly ending?: AbortSignal;
  /** The files of a new project, as JSON. Default: `project.json` next to the bundle. */
  readonly projectFile?: string;
  /** Waits between two readings. Default: a timer. */
  readonly wait?: (ms: number) => Promise<void>;
}
