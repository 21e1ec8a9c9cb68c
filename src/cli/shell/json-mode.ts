import { BerthError } from '../../errors.ts';
import { printableJson } from './printable.ts';
import type { Terminal } from './terminal.ts';

/** Whether the operator asks for JSON: `--json` before any `--`. */
export function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end === -1 ? argv : argv.slice(0, end)).includes('--json');
}

/** An error as `--json` prints it. */
export function errorJson({ code, message, details }: Pick<BerthError, 'code' | 'message' | 'details'>) {
  return { error: { code, message, details } };
}

/** Writes an error: one JSON object on the standard output, or lines on the error output. */
export function sayError(terminal: Terminal, error: BerthError, isJson: boolean): void {
  if (isJson) {
    terminal.out.write(`${printableJson(JSON.stringify(errorJson(error), null, 2))}\n`);
    return;
  }
  terminal.err.write(`${error.message} [${error.code}]\n`);
  for (const { path, message } of error.details) {
    terminal.err.write(`  ${path || 'it'} ${indented(message, 4)}\n`);
  }
}

/**
 * Writes the error with which a command has ended, and returns its exit code. The standard output has one JSON object: the
 * result, or the error if there is no result.
 *
 * @param writes how often the command has written to the standard output
 */
export function sayFailure(
  terminal: Terminal,
  argv: readonly string[],
  error: unknown,
  writes: () => number,
): number {
  const isJson = asksForJson(argv) && writes() === 0;
  const coded = codedError(error);
  if (error === coded || isJson) sayError(terminal, coded, isJson);
  return 1;
}

/** The error as `--json` prints it. The stack of a bug in Berth goes to the error output. */
function codedError(error: unknown): BerthError {
  if (error instanceof BerthError) return error;
  console.error(error instanceof Error ? error.stack : error);
  return defect(error);
}

/** For an error that is a bug in Berth. */
function defect(error: unknown): BerthError {
  const what = error instanceof Error ? error.message : String(error);
  return new BerthError('BERTH_DEFECT', `The command failed: ${what}`);
}

/** A stream, and how often it was written to. */
export function countWrites<Stream extends NodeJS.WritableStream>(
  stream: Stream,
): { readonly stream: Stream; writes(): number } {
  let writes = 0;
  const counting = new Proxy(stream, {
    get(target, name) {
      if (name === 'write') writes += 1;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
  return { stream: counting, writes: () => writes };
}

/** A message of several lines below each other, such as an expression with a caret. */
export function indented(message: string, spaces: number): string {
  return message.replaceAll('\n', `\n${' '.repeat(spaces)}`);
}

/** What a command writes that has no JSON of its own. */
export interface Captured {
  readonly terminal: Terminal;
  /** Writes the lines of the result as JSON. */
  finish(exitCode: number): void;
  /** Writes the error with which the command has ended, and the lines until then, as JSON. They say what was done and what to do next. */
  fail(error: unknown): void;
}

/** A terminal that collects the lines of a command, for `--json`. Other text than the result goes to the error output, too. */
export function capture({ out, err }: Terminal): Captured {
  const texts: { readonly stream: 'out' | 'err'; readonly text: string }[] = [];
  const collector = (stream: 'out' | 'err') =>
    Object.assign(Object.create(stream === 'out' ? out : err) as NodeJS.WritableStream, {
      isTTY: false,
      write(text: unknown): boolean {
        texts.push({ stream, text: String(text) });
        return stream === 'out' || err.write(String(text));
      },
    });
  const linesOf = (stream: 'out' | 'err') =>
    texts
      .filter((each) => each.stream === stream)
      .map(({ text }) => text)
      .join('')
      .split('\n')
      .filter((line) => line !== '');
  const finishWith = (json: object) => {
    const lines = { result: linesOf('out'), messages: linesOf('err') };
    out.write(`${printableJson(JSON.stringify({ ...json, ...lines }, null, 2))}\n`);
  };
  return {
    terminal: { out: collector('out'), err: collector('err') },
    finish: (exitCode) => finishWith({ ok: exitCode === 0 }),
    fail: (error) => finishWith(errorJson(codedError(error))),
  };
}
