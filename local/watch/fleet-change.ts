import { rmSync } from 'node:fs';
import * as z from 'zod';
import type { Fleet } from '../../src/fleet/fleet.ts';
import type { RunCommand } from '../control-api/index.ts';
import { LocalError } from '../errors.ts';
import { readLocalFleet } from '../fleet-file.ts';
import { pluralText } from '../view/text.ts';

/** What a saved fleet file is for the running stack. */
export type SavedFleet =
  /** The same as the file in force. */
  | { readonly kind: 'none' }
  /** It cannot be used. The text says why, and goes after the name of the file. */
  | { readonly kind: 'refused'; readonly text: string }
  | { readonly kind: 'ready'; readonly fleet: Fleet };

/** Validates a saved fleet file. */
export function readChange(file: string, inForce: Fleet): SavedFleet {
  try {
    const fleet = readLocalFleet(file);
    if (fleet.revision === inForce.revision) return { kind: 'none' };
    return hostsOf(fleet) === hostsOf(inForce)
      ? { kind: 'ready', fleet }
      : { kind: 'refused', text: 'has other hubs: stop npm start and run it again' };
  } catch (error) {
    if (!(error instanceof LocalError)) throw error;
    const reason = error.message.replace(`${file} `, '').replace(', below)', ')');
    return { kind: 'refused', text: reason };
  }
}

/** The local hubs and their links in DPS exist from the start to the end of the stack. */
function hostsOf({ hubs }: Fleet): string {
  return hubs
    .map(({ host }) => host)
    .sort()
    .join(' ');
}

/** The parts of `berth what-if --devices --json` and `berth what-if --twins --json` that the text shows. */
const MOVES = z.object({
  moves: z.object({ count: z.number() }),
  refused: z.object({ count: z.number() }),
});
const WRITES = z.object({ writes: z.object({ count: z.number() }) });
/** Of `berth edge plan --json`. */
const MANIFESTS = z.object({ devices: z.array(z.object({ action: z.string() })) });

/**
 * Estimates the effect of a valid fleet file with `berth what-if` and `berth edge plan` on the devices and twins of the stack.
 * Never throws.
 *
 * @param exportFile a file for the list of devices, which is removed again
 * @returns `12 devices would move, 4 twins would be written, 2 IoT Edge devices would get a manifest`
 */
export async function estimatedEffect(file: string, run: RunCommand, exportFile: string): Promise<string> {
  const [placement, twins, manifests] = await Promise.all([
    placementOf(file, run, exportFile),
    answerOf(run, ['what-if', '--fleet', file, '--twins', '--json'], WRITES),
    answerOf(run, ['edge', 'plan', '--fleet', file, '--json'], MANIFESTS),
  ]);
  if (placement === undefined || twins === undefined || manifests === undefined)
    return 'berth what-if cannot estimate its effect now';
  const { moves, refused } = placement;
  const applies = manifests.devices.filter(({ action }) => action === 'apply').length;
  return [
    `${pluralText(moves.count, 'device')} would move`,
    ...(refused.count === 0 ? [] : [`${pluralText(refused.count, 'device')} would be refused`]),
    `${pluralText(twins.writes.count, 'twin')} would be written`,
    ...(applies === 0 ? [] : [`${pluralText(applies, 'IoT Edge device')} would get a manifest`]),
  ].join(', ');
}

async function placementOf(file: string, run: RunCommand, exportFile: string) {
  try {
    const exported = await run(['export', '--out', exportFile]);
    if (exported.exitCode !== 0) return undefined;
    return await answerOf(run, ['what-if', '--fleet', file, '--devices', exportFile, '--json'], MOVES);
  } finally {
    rmSync(exportFile, { force: true });
  }
}

/** Undefined: the command failed, for example because the tables do not answer. */
async function answerOf<Schema extends z.ZodType>(
  run: RunCommand,
  args: readonly string[],
  schema: Schema,
): Promise<z.output<Schema> | undefined> {
  const { exitCode, out } = await run(args);
  return exitCode === 0 ? schema.parse(JSON.parse(out)) : undefined;
}
