import type { Look } from '../liveness/reader.ts';
import type { Environment } from '../settings/settings.ts';
import { handledPositions } from './checkpoints.ts';
import { partitionEnds } from './partitions.ts';

/** The work of a run must not wait longer. */
const DEADLINE_MS = 15_000;

/** One look at the Event Hub and at the checkpoints of the functions. Never throws: a failed look says why. */
export async function lookAtEventHub(env: Environment): Promise<Look> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Look>((resolve) => {
    const why = 'the Event Hub and the checkpoints were not read in 15 s';
    timer = setTimeout(() => resolve({ kind: 'failed', why }), DEADLINE_MS);
  });
  try {
    return await Promise.race([look(env), late]);
  } finally {
    clearTimeout(timer);
  }
}

async function look(env: Environment): Promise<Look> {
  // The checkpoints come first. So none of them can be beyond the end of its partition.
  const checkpoints = await handledPositions(env);
  if (checkpoints.kind === 'failed') return checkpoints;
  try {
    const ends = await partitionEnds(env);
    if (ends === undefined) return { kind: 'failed', why: 'no setting names the Event Hub (TWIN_EVENTS)' };
    const partitions = [...ends].map(
      ([id, end]) => [id, { ...end, checkpoint: checkpoints.positions.get(id) }] as const,
    );
    return { kind: 'positions', partitions: new Map(partitions) };
  } catch (error) {
    // Only a code or a name: the message of an error may quote a connection string.
    const { code, name } = (error ?? {}) as { readonly code?: unknown; readonly name?: unknown };
    return { kind: 'failed', why: `the Event Hub cannot be reached (${String(code ?? name ?? 'error')})` };
  }
}
