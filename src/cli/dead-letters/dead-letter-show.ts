import { once } from 'node:events';
import { BerthError } from '../../errors.ts';
import type { KeptLetter } from '../../store/dead-letters/dead-letter-store.ts';
import { letterText } from '../../store/dead-letters/letter-text.ts';
import { invalid } from '../shell/arguments.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { type Given, JSON_OUTPUT, requiredText, toggle } from '../shell/inputs.ts';
import { printable } from '../shell/printable.ts';
import { openState } from '../shell/state.ts';
import { count, say, sayJson, type Terminal } from '../shell/terminal.ts';
import { namedLetters } from './dead-letter-selection.ts';

const INPUTS = {
  '<id>': requiredText('id of the dead letter, such as 2026-11-25/3/1234'),
  ...JSON_OUTPUT,
  '--body': toggle('write only the body, byte for byte'),
};

/** The most UTF-16 units of a text that are shown. --body writes the whole body. */
const TEXT_SHOWN = 4_000;
const BYTES_SHOWN = 512;
const BYTES_A_LINE = 16;
const NAME_WIDTH = 16;

/**
 * `berth dead-letters show`: shows everything that is stored about one dead letter, with control characters
 * escaped.
 */
export function registerShow(deadLetters: CommandGroup): void {
  deadLetters.command({
    name: 'show',
    description: 'show everything that is stored about one dead letter',
    inputs: INPUTS,
    example: 'berth dead-letters show 2026-11-25/3/1234',
    changes: false,
    run: showDeadLetter,
  });
}

async function showDeadLetter(
  { terminal, env }: Cli,
  { id, json, body }: Given<typeof INPUTS>,
): Promise<number> {
  if (json && body) throw invalid('Give --json or --body, not both.');
  if (body && terminal.out.isTTY) {
    throw invalid(
      '--body writes raw bytes, which can control a terminal: redirect them to a file or a program (> FILE or | xxd).',
    );
  }
  const state = openState(env);
  const [summary] = await namedLetters(state, [id]);
  const letter = summary === undefined ? undefined : await state.deadLetters.read(summary.key);
  if (letter === undefined) {
    throw new BerthError(
      'BERTH_DEAD_LETTER_UNKNOWN',
      `Dead letter "${id}" was deleted while this command ran.`,
    );
  }
  if (body) await writeBody(terminal, letter.body);
  else if (json) sayJson(terminal, describe(letter));
  else for (const line of linesOf(letter)) say(terminal, line);
  return 0;
}

async function writeBody({ out }: Terminal, body: Uint8Array): Promise<void> {
  if (!out.write(body)) await once(out, 'drain');
}

function describe(letter: KeptLetter) {
  const { key: _, body, bodyBytes, ...facts } = letter;
  const text = letterText(letter);
  const content = text === undefined ? { base64: Buffer.from(body).toString('base64') } : { text };
  return { ...facts, body: { bytes: bodyBytes, ...content } };
}

function* linesOf(letter: KeptLetter): Generator<string> {
  const { id, enqueuedAt, partition, sequenceNumber, code, reason, cut } = letter;
  yield field('dead letter', id);
  yield field('received', `${enqueuedAt}, partition ${partition}, sequence number ${sequenceNumber}`);
  yield field('code', code);
  yield field('reason', reason);
  if (cut.length > 0) yield field('truncated', cut.join(', '));
  yield* propertyLines('properties', letter.properties);
  yield* propertyLines('system properties', letter.systemProperties);
  yield* bodyLines(letter);
}

function field(name: string, value: string): string {
  return `${name.padEnd(NAME_WIDTH)}${printable(value)}`;
}

function* propertyLines(name: string, properties: KeptLetter['properties']): Generator<string> {
  const entries = Object.entries(properties);
  yield entries.length === 0 ? `${name}: none` : `${name}:`;
  for (const [key, value] of entries) {
    const text = `${key}: ${JSON.stringify(value)}`;
    yield `  ${printable(text.slice(0, TEXT_SHOWN))}${text.length > TEXT_SHOWN ? '…' : ''}`;
  }
}

function* bodyLines(letter: KeptLetter): Generator<string> {
  const { body, bodyBytes, isRedacted } = letter;
  const text = letterText(letter);
  const kind = bodyBytes === 0 ? 'empty' : text === undefined ? 'not UTF-8' : 'text';
  yield `body: ${count(bodyBytes)} bytes, ${kind}${isRedacted ? ', redacted: not the original bytes' : ''}`;
  if (text === undefined) yield* hexLines(body.subarray(0, BYTES_SHOWN));
  // Indented, so that no line of the body looks like a line of this command.
  else if (text !== '')
    yield* text
      .slice(0, TEXT_SHOWN)
      .split('\n')
      .map((line) => `  ${printable(line)}`);
  const isCut = text === undefined ? body.byteLength > BYTES_SHOWN : text.length > TEXT_SHOWN;
  if (isCut) yield 'The body is longer: use --body to write all of it.';
  if (letter.cut.includes('body')) {
    yield `Only its first ${count(body.byteLength)} bytes are stored.`;
  }
}

function* hexLines(bytes: Uint8Array): Generator<string> {
  for (let offset = 0; offset < bytes.byteLength; offset += BYTES_A_LINE) {
    const line = [...bytes.subarray(offset, offset + BYTES_A_LINE)];
    const hex = line.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = line.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    yield `  ${offset.toString(16).padStart(6, '0')}  ${hex.padEnd(3 * BYTES_A_LINE)} ${text}`;
  }
}
