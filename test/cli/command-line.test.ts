import { describe, expect, test } from '@jest/globals';
import { type CommandGroup, runProgram } from '../../src/cli/shell/command-line.ts';
import {
  hidden,
  type Inputs,
  list,
  reason,
  requiredText,
  text,
  textOr,
  timeBack,
  timeBackOr,
  toggle,
  wholeNumber,
} from '../../src/cli/shell/inputs.ts';
import { berth, listen, NOW } from './terminals.ts';

const DAY = 86_400_000;

/** Runs a program of one command, and answers what the command was given and what was said. */
async function run(inputs: Inputs, ...argv: readonly string[]) {
  const said = listen();
  const given: object[] = [];
  const code = await runProgram(said.cli, argv, {
    name: 'tool',
    description: 'for tests',
    epilogue: '',
    register: (commands) =>
      commands.command({
        name: 'act',
        description: 'does it',
        inputs,
        changes: false,
        run: async (_, values) => {
          given.push(values);
          return 0;
        },
      }),
  });
  return { code, given: given[0], out: said.out(), err: said.err() };
}

describe('a command', () => {
  test.each<[string, Inputs, readonly string[], object]>([
    ['true for a flag that is set', { '--dry-run': toggle('') }, ['--dry-run'], { dryRun: true }],
    ['false for a flag that is left out', { '--dry-run': toggle('') }, [], { dryRun: false }],
    [
      'true for a hidden flag that is set',
      { '--dry-run': hidden(toggle('')) },
      ['--dry-run'],
      { dryRun: true },
    ],
    [
      'the text of a flag',
      { '--old-key-name <name>': text('') },
      ['--old-key-name', 'x'],
      { oldKeyName: 'x' },
    ],
    ['no text for a flag that is left out', { '--hub <host>': text('') }, [], { hub: undefined }],
    ['the default of a text', { '--file <file>': textOr('a.json', '') }, [], { file: 'a.json' }],
    ['the text that replaces a default', { '--file <f>': textOr('a', '') }, ['--file', 'b'], { file: 'b' }],
    ['a whole number', { '--max-moves <n>': wholeNumber(0, '') }, ['--max-moves', '0'], { maxMoves: 0 }],
    [
      'no number for a flag that is left out',
      { '--limit <n>': wholeNumber(1, '') },
      [],
      { limit: undefined },
    ],
    [
      'the time that a duration back from now means',
      { '--since <time>': timeBack('') },
      ['--since', '2d'],
      { since: { text: '2d', at: NOW - 2 * DAY } },
    ],
    [
      'the default of a duration',
      { '--since <time>': timeBackOr('7d', '') },
      [],
      { since: { text: '7d', at: NOW - 7 * DAY } },
    ],
    ['a reason, trimmed', { '--reason <text>': reason('') }, ['--reason', ' roll '], { reason: 'roll' }],
    [
      'every value of a repeated flag, in order',
      { '--payload <json>': list('') },
      ['--payload', 'b', '--payload', 'a'],
      { payload: ['b', 'a'] },
    ],
    [
      'an empty list for a repeated flag that is left out',
      { '--payload <json>': list('') },
      [],
      { payload: [] },
    ],
    ['an argument', { '<host>': requiredText() }, ['weu'], { host: 'weu' }],
    ['the default of an argument', { '[file]': textOr('fleet.json', '') }, [], { file: 'fleet.json' }],
    ['every value of a repeated argument', { '[ids...]': list() }, ['1', '2'], { ids: ['1', '2'] }],
    ['an empty list for a repeated argument that is left out', { '[ids...]': list() }, [], { ids: [] }],
    [
      'an argument and flags, in any order',
      { '<id>': requiredText(), '--json': toggle(''), '--hub <host>': text('') },
      ['--hub', 'weu', '1', '--json'],
      { id: '1', json: true, hub: 'weu' },
    ],
  ])('a command receives %s', async (_, inputs, argv, expected) => {
    expect(await run(inputs, 'act', ...argv)).toEqual({ code: 0, given: expected, out: '', err: '' });
  });

  test.each<[string, Inputs, readonly string[], RegExp]>([
    [
      'a required flag is missing',
      { '--reason <text>': reason('') },
      [],
      /required option '--reason <text>'/,
    ],
    ['a required argument is missing', { '<host>': requiredText() }, [], /missing required argument 'host'/],
    ['a flag is unknown', {}, ['--nope'], /unknown option '--nope'/],
    ['one argument too many is given', {}, ['nope'], /too many arguments/],
  ])('a command does not run where %s, and the exit code is 1', async (_, inputs, argv, message) => {
    const { code, given, out, err } = await run(inputs, 'act', ...argv);

    expect({ code, given, out }).toEqual({ code: 1, given: undefined, out: '' });
    expect(err).toMatch(message);
  });

  test.each<[string, Inputs, readonly string[], RegExp]>([
    [
      'a number that is too small',
      { '--limit <n>': wholeNumber(1, '') },
      ['--limit', '0'],
      /^--limit is "0": write a whole number of at least 1\.$/,
    ],
    [
      'a value that is not a time',
      { '--since <time>': timeBack('') },
      ['--since', 'x'],
      /^--since is "x": write a/,
    ],
    ['an empty reason', { '--reason <text>': reason('') }, ['--reason', ' '], /^--reason has 0 characters/],
  ])('a command does not run with %s, and the error names the flag', async (_, inputs, argv, message) => {
    await expect(run(inputs, 'act', ...argv)).rejects.toMatchObject({
      code: 'BERTH_ARGUMENT_INVALID',
      message: expect.stringMatching(message),
    });
  });

  test('the help of a command shows its flags, except the hidden ones', async () => {
    const inputs = {
      '[file]': textOr('fleet.json', 'the fleet file'),
      '--since <time>': timeBackOr('7d', 'from when'),
      '--secret': hidden(toggle('not for the help')),
    };
    const { code, out } = await run(inputs, 'act', '--help');

    expect(code).toBe(0);
    expect(out).toMatch(/^Usage: tool act \[options\] \[file\]\n/);
    expect(out).toMatch(/file +the fleet file \(default: "fleet\.json"\)\n/);
    expect(out).toMatch(/--since <time> +from when \(default: 7d\)\n/);
    expect(out).not.toContain('--secret');
  });
});

describe('a group of commands', () => {
  const group = async (...argv: readonly string[]) => {
    const ran: string[] = [];
    const command = (commands: CommandGroup, name: string, isDefault: boolean) =>
      commands.command({
        name,
        description: '',
        inputs: {},
        isDefault,
        changes: false,
        run: async () => {
          ran.push(name);
          return 3;
        },
      });
    const code = await runProgram(listen().cli, argv, {
      name: 'tool',
      description: '',
      epilogue: '',
      register(commands) {
        const enroll = commands.group('enroll', 'of enrollments');
        command(enroll, 'plan', true);
        command(enroll, 'apply', false);
      },
    });
    return { code, ran };
  };

  test.each([
    [['enroll', 'apply'], 'apply'],
    [['enroll', 'plan'], 'plan'],
    [['enroll'], 'plan'],
  ])('the arguments %j run the command %s of a group and return its exit code', async (argv, expected) => {
    expect(await group(...argv)).toEqual({ code: 3, ran: [expected] });
  });
});

describe('berth', () => {
  test('berth --help lists the commands in a fixed order', async () => {
    const { cli, out } = listen();

    expect(await berth(cli, '--help')).toBe(0);

    expect([...out().matchAll(/^ {2}([a-z][\w-]*)/gm)].map(([, name]) => name)).toEqual([
      'get',
      'describe',
      'hubs',
      'hub',
      'policies',
      'pause',
      'resume',
      'rollouts',
      'edge',
      'resync',
      'dead-letters',
      'forget',
      'state',
      'connect',
      'enroll',
      'validate',
      'explain',
      'export',
      'what-if',
      'init',
      'completion',
      'help',
    ]);
  });

  test('berth without a command prints its commands on the error output', async () => {
    const { cli, out, err } = listen();

    expect(await berth(cli)).toBe(1);

    expect(out()).toBe('');
    expect(err()).toMatch(/^Usage: berth \[options\] \[command\]\n/);
  });
});
