import { execFile } from 'node:child_process';
import * as z from 'zod';
import { isObject, jsonOrUndefined } from '../../src/json/json.ts';
import { localEnvironment } from '../processes/local-environment.ts';
import { type ControlAnswer, failedAnswer, methodNotAllowed, ok } from './answers.ts';
import type { ControlRequest } from './request.ts';

/** Where the `berth` command is, and what it works with. */
export interface CommandOptions {
  /** The bundle of the command. */
  readonly file: string;
  /** The folder that it works in: that of fleet.json. */
  readonly directory: string;
  /** The app settings of the local stack. */
  readonly settings: Readonly<Record<string, string>>;
}

/** How a command ended. */
export interface CommandResult {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

export type RunCommand = (argv: readonly string[]) => Promise<CommandResult>;

/** The commands that may run here. None of them writes a file or asks a question. */
const ALLOWED: readonly string[] = [
  'get devices',
  'get hubs',
  'get policies',
  'get attention',
  'get deployments',
  'describe device',
  'describe fleet',
  'describe hub',
  'describe policy',
  'hubs',
  'hub set',
  'hub clear',
  'hub drain',
  'policies',
  'pause',
  'resume',
  'rollouts list',
  'rollouts show',
  'rollouts pause',
  'rollouts resume',
  'rollouts approve',
  'rollouts abort',
  'rollouts rollback',
  'edge status',
  'edge explain',
  'edge history',
  'edge validate',
  'edge plan',
  'resync',
  'validate',
  'dead-letters list',
  'dead-letters counts',
  'dead-letters show',
  'dead-letters replay',
  'dead-letters purge',
  'enroll plan',
  'enroll apply',
  'enroll check',
  'enroll validate',
  'enroll webhooks',
];

/** Flags of allowed commands that do not run here: one repeats a list until Ctrl-C, the other waits for devices for minutes. */
const TOO_LONG: readonly string[] = ['--watch', '--disable-silent'];

const MAX_MS = 60_000;
const MAX_OUTPUT_BYTES = 4 * 1024 * 1024;

const REQUEST = z.strictObject({ argv: z.array(z.string().max(2_000)).min(1).max(50) });

/** Runs the same `berth` that a terminal runs, in a process of its own, as the user of this machine. */
export function commandRunner({ file, directory, settings }: CommandOptions): RunCommand {
  return (argv) =>
    new Promise((resolve) => {
      const env = localEnvironment({ ...settings, NO_COLOR: '1' });
      execFile(
        process.execPath,
        [file, ...argv],
        { cwd: directory, env, timeout: MAX_MS, maxBuffer: MAX_OUTPUT_BYTES, windowsHide: true },
        (error, out, err) => {
          const exitCode = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
          const why = error !== null && err === '' ? error.message : err;
          resolve({ exitCode, out, err: why });
        },
      );
    });
}

/**
 * `POST /commands`: runs a `berth` command. Answers what it wrote: `json` where that is JSON, else its lines; or the error that it
 * ended with.
 */
export async function commandRoute(request: ControlRequest, run: RunCommand): Promise<ControlAnswer> {
  const { method, body } = request;
  if (method !== 'POST') return methodNotAllowed(request, 'POST');
  const parsed = REQUEST.safeParse(body);
  if (!parsed.success) {
    return failedAnswer(
      400,
      'BERTH_LOCAL_REQUEST_INVALID',
      'The body must be {"argv": ["pause", "--reason", "…"]}: the words behind "berth".',
    );
  }
  const { argv } = parsed.data;
  if (!isAllowed(argv)) {
    return failedAnswer(
      400,
      'BERTH_LOCAL_REQUEST_INVALID',
      `"berth ${argv.slice(0, 2).join(' ').slice(0, 100)}" does not run from here. Commands that do: ${ALLOWED.join(', ')}.`,
    );
  }
  const tooLong = TOO_LONG.find((flag) => argv.includes(flag));
  if (tooLong !== undefined) {
    return failedAnswer(
      400,
      'BERTH_LOCAL_REQUEST_INVALID',
      `${tooLong} takes too long, so it does not run from here. Leave it out, or run the command in a terminal.`,
    );
  }
  const { exitCode, out, err } = await run(argv);
  const lines = linesOf(err);
  const json = jsonOrUndefined(out);
  if (exitCode === 0) return ok({ exitCode, json: json ?? null, out: linesOf(out), err: lines });
  // With --json, the command writes its error as JSON.
  if (isObject(json) && isObject(json.error)) return { status: 400, body: { error: json.error } };
  return failure(exitCode, [...lines, ...linesOf(out)]);
}

function isAllowed(argv: readonly string[]): boolean {
  return ALLOWED.some((command) => {
    const words = command.split(' ');
    return words.every((word, index) => argv[index] === word);
  });
}

/** The command ends its error with the code in brackets, and lists the details below. */
function failure(exitCode: number, lines: readonly string[]): ControlAnswer {
  const at = lines.findIndex((line) => CODED.test(line));
  const [, message = '', code = ''] = CODED.exec(lines[at] ?? '') ?? [];
  if (code === '') {
    const why = lines.join(' ').slice(0, 1_000) || 'it said nothing';
    return failedAnswer(
      400,
      'BERTH_LOCAL_COMMAND_FAILED',
      `The command ended with exit code ${exitCode}: ${why}`,
    );
  }
  const details = lines.slice(at + 1).flatMap((line) => {
    const [, path = '', problem] = /^ {2}(\S+) (.*)$/.exec(line) ?? [];
    return problem === undefined ? [] : [{ path, message: problem }];
  });
  return { status: 400, body: { error: { code, message, details } } };
}

const CODED = /^(.*) \[(BERTH_\w+)\]$/;

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}
