import * as z from 'zod';
import { rolloutContents } from '../../fleet/fleet.ts';
import { laterOf } from '../../time/epoch-ms.ts';
import type { ResyncContext } from './resync-context.ts';

/** Where the hashes of the earlier contents are stored that could not be read in the last run. */
const NAME = 'unreadableContents';
const progressSchema = z.array(z.string());

/**
 * Makes every twin be planned again when an earlier content can be read that could not be read before. The devices that its
 * rollout has not reached had nothing of it, and no event tells that this has changed.
 */
export async function planWhenReadAgain(context: ResyncContext): Promise<void> {
  const { fleet, gate, progress, control, now, unreadable = () => [] } = context;
  const missing = unreadable().map(({ content }) => content);
  const before = progressSchema.safeParse(await progress.read(NAME)).data ?? [];
  if (missing.join() === before.join()) return;
  const { contentsToRead, generation } = await gate.current();
  // What rollouts need is not known now.
  if (generation === undefined) return;
  const needed = new Set(contentsToRead(rolloutContents(fleet)).map(({ content }) => content));
  if (before.some((content) => needed.has(content) && !missing.includes(content))) {
    await control.update((row) => ({
      ...row,
      generation: row.generation + 1,
      changedAt: laterOf(now(), row.changedAt),
    }));
  }
  await progress.write(NAME, missing);
}
