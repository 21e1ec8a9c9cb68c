import type { CommandGroup } from '../shell/command-line.ts';
import { registerStateExport } from './state-export.ts';
import { registerStateImport } from './state-import.ts';

/** `berth state`: the small state that people made, as a file. */
export function registerState(berth: CommandGroup): void {
  const state = berth.group('state', 'export and import pauses, rollouts, overrides and fleet files');
  registerStateExport(state);
  registerStateImport(state);
}
