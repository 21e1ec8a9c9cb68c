import type { CommandGroup } from '../shell/command-line.ts';
import { registerCounts } from './dead-letter-counts.ts';
import { registerList } from './dead-letter-list.ts';
import { registerPurge } from './dead-letter-purge.ts';
import { registerReplay } from './dead-letter-replay.ts';
import { registerShow } from './dead-letter-show.ts';

/** `berth dead-letters`: commands for events that Berth could not read. */
export function registerDeadLetters(berth: CommandGroup): void {
  const deadLetters = berth.group(
    'dead-letters',
    'list, show, replay and delete events that Berth could not read',
  );
  registerList(deadLetters);
  registerCounts(deadLetters);
  registerShow(deadLetters);
  registerReplay(deadLetters);
  registerPurge(deadLetters);
}
