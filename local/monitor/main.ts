import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { Command, InvalidArgumentError, Option } from 'commander';
import * as z from 'zod';
import { jsonOrUndefined } from '../../src/json/json.ts';
import { PROPERTY_KINDS, type PropertyKind, watchedLines } from './lines.ts';
import type { Watched } from './watched.ts';

/** `npm run monitor`: shows what the local hubs send and get. See `--help`. */

const FAILED = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

interface Flags {
  readonly hub?: string;
  readonly device?: string;
  readonly module?: string;
  readonly properties: readonly PropertyKind[];
  readonly json: boolean;
  readonly count?: number;
  readonly control: string;
}

function readFlags(): Flags {
  const command = new Command('npm run monitor --')
    .description(
      'Shows telemetry, twin changes, direct methods and messages of the local hubs, until Ctrl-C.',
    )
    .option('--hub <host>', 'only of this hub: its host name or its first label')
    .option('--device <id>', 'only of this device; * stands for any text')
    .option('--module <id>', 'only of this module; * stands for any text')
    .addOption(
      new Option('--properties <kinds...>', 'show properties: of the application, of the system, annotations')
        .choices([...PROPERTY_KINDS])
        .default([], 'none'),
    )
    .option('--json', 'print one JSON object a line, with all properties', false)
    .option('--count <n>', 'end after this many items', wholeNumber)
    .option('--control <url>', 'control API of the local stack', 'http://127.0.0.1:7070')
    .allowExcessArguments(false)
    .parse();
  return command.opts<Flags>();
}

async function main(): Promise<void> {
  const flags = readFlags();
  const ending = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ending.abort());
  // `head` and other readers end early.
  process.stdout.on('error', () => ending.abort());
  const lines = await open(flags, ending.signal);
  let shown = 0;
  try {
    for await (const line of createInterface({ input: lines })) {
      const item = JSON.parse(line) as Watched | { readonly missed: number };
      if (flags.json) console.log(line);
      else if ('missed' in item)
        console.error(`${item.missed} items were lost, because this terminal is too slow.`);
      else for (const text of watchedLines(item, flags.properties)) console.log(text);
      shown += 1;
      if (shown === flags.count) return;
    }
  } catch (error) {
    if (!ending.signal.aborted) throw error;
  }
  if (!ending.signal.aborted) throw new Error('The local stack has ended.');
}

/** The lines of `GET /monitor`. @throws Error with what to do if the stack does not answer */
async function open({ hub, device, module, control, json }: Flags, signal: AbortSignal): Promise<Readable> {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ hub, device, module }))
    if (value !== undefined) query.set(name, value);
  let response: Response;
  try {
    response = await fetch(`${control}/monitor?${query}`, { signal });
  } catch {
    if (signal.aborted) return Readable.from([]);
    throw new Error(
      `The local stack does not answer at ${control}. Run "npm start" or "npm run local -- --plain" in another terminal first.`,
    );
  }
  if (!response.ok || response.body === null) throw new Error(messageOf(await response.text()));
  if (!json) console.error('Watching the hubs. Ctrl-C ends it.');
  return Readable.fromWeb(response.body as ReadableStream);
}

/** The message of a refusal, with its code. */
function messageOf(text: string): string {
  const parsed = FAILED.safeParse(jsonOrUndefined(text));
  return parsed.success ? `${parsed.data.error.message} [${parsed.data.error.code}]` : text;
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  throw new InvalidArgumentError('It must be a whole number above 0.');
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(1);
  },
);
