import { PassThrough } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { berthCatalog } from '../../src/cli/berth.ts';
import { type CatalogCommand, programOf } from '../../src/cli/shell/catalog.ts';
import { type CommandGroup, runProgram } from '../../src/cli/shell/command-line.ts';
import { capture, countWrites, sayError } from '../../src/cli/shell/json-mode.ts';
import { BerthError } from '../../src/errors.ts';
import { berth, listen } from './terminals.ts';

/** Every command with the words that run it, such as `hub set`. */
function commandsOf(
  commands: readonly CatalogCommand[],
  above = '',
): readonly (readonly [path: string, command: CatalogCommand])[] {
  return commands.flatMap((command) => {
    const path = `${above} ${command.name}`.trim();
    return command.commands === undefined ? [[path, command] as const] : commandsOf(command.commands, path);
  });
}

const COMMANDS = commandsOf(berthCatalog().commands);

/** The same surroundings on two terminals. */
function onTerminals(env: Readonly<Record<string, string>> = {}) {
  const said = listen(env);
  Object.assign(said.cli.terminal.out, { isTTY: true });
  Object.assign(said.cli.terminal.err, { isTTY: true });
  return said;
}

describe('the help of berth', () => {
  test.each(COMMANDS)(
    '%s has an example that calls this command with all required options',
    (path, command) => {
      const required = Object.entries(command.inputs)
        .filter(
          ([flags, { kind, defaultText }]) => flags.startsWith('--') && kind === 'required' && !defaultText,
        )
        .map(([flags]) => flags.split(' ')[0] ?? '');

      for (const line of command.example?.split('\n') ?? ['']) {
        expect(line).toContain(`berth ${path}`);
        expect(required.filter((flag) => !line.includes(flag))).toEqual([]);
      }
    },
  );

  test.each(COMMANDS)(
    '%s --help shows its example, marks required options, and lists --json',
    async (path, command) => {
      const { cli, out } = listen();

      expect(await berth(cli, ...path.split(' '), '--help')).toBe(0);

      expect(out()).toContain(`Usage: berth ${path} `);
      expect(out()).toContain(`Example:\n  ${command.example?.split('\n')[0]}`);
      expect(out()).toContain('--json');
      const required = Object.entries(command.inputs).filter(
        ([flags, { kind, defaultText }]) => flags.startsWith('--') && kind === 'required' && !defaultText,
      );
      expect(out().match(/\(required\)/g) ?? []).toHaveLength(required.length);
    },
  );

  test('help with the words of a command shows the help of this command', async () => {
    const { cli, out } = listen();

    await berth(cli, 'help', 'hub', 'set');

    expect(out()).toMatch(/^Usage: berth hub set \[options\] --reason <text> --expires <time> <host>\n/);
  });

  test('--version prints the version', async () => {
    const { cli, out } = listen();

    expect(await berth(cli, '--version')).toBe(0);
    expect(out()).toMatch(/^\d+\.\d+\.\d+\S*\n$/);
  });

  test.each([
    [[]],
    [['--help']],
    [['hub', 'set', '--help']],
    [['nope']],
    [['pause']],
    [['enroll', 'certificate']],
  ])('the catalog answers %j exactly as all commands do, and runs none', async (argv) => {
    const [whole, light] = [listen(), listen()];
    const run = () => Promise.reject(new Error('a command was loaded'));

    const codes = [
      await berth(whole.cli, ...argv),
      await runProgram(light.cli, argv, programOf(berthCatalog(), run)),
    ];

    expect(codes[1]).toBe(codes[0]);
    expect([light.out(), light.err()]).toEqual([whole.out(), whole.err()]);
  });

  test('the catalog is plain JSON', () => {
    expect(JSON.parse(JSON.stringify(berthCatalog()))).toEqual(berthCatalog());
  });
});

describe('a wrong call of berth', () => {
  test.each([
    [['nope', '--json'], /^unknown command 'nope'/],
    [['pause', '--json'], /^required option '--reason <text>' not specified/],
    [['hubs', '--nope', '--json'], /^unknown option '--nope'/],
    [['hub', 'set', '--json', '--reason', 'x', '--expires', '1h'], /^missing required argument 'host'/],
    [['--json'], /unknown option '--json'/],
  ])('%j prints one JSON object with the error', async (argv, message) => {
    const { cli, out, err } = listen();

    expect(await berth(cli, ...argv)).toBe(1);

    expect(err()).toBe('');
    expect(JSON.parse(out())).toEqual({
      error: { code: 'BERTH_ARGUMENT_INVALID', message: expect.stringMatching(message), details: [] },
    });
  });

  test.each([
    [['valdate'], /Did you mean validate\?/],
    [['validate', '--strct'], /Did you mean --strict\?[\s\S]*Run "berth validate --help" for its options\./],
    [['get', 'device'], /Did you mean devices\?/],
  ])('%j gets a suggestion', async (argv, message) => {
    const { cli, err } = listen();

    expect(await berth(cli, ...argv)).toBe(1);
    expect(err()).toMatch(message);
  });

  test('a status that does not exist gets a suggestion', async () => {
    await expect(berth(listen().cli, 'get', 'devices', '--status', 'drfted')).rejects.toMatchObject({
      code: 'BERTH_ARGUMENT_INVALID',
      message: expect.stringMatching(/^--status is "drfted": write one of .*Did you mean drifted\?$/),
    });
  });
});

describe('the output of berth', () => {
  test('a command without JSON of its own prints its sentences as JSON with --json', async () => {
    const { cli, out, err } = listen();
    const { terminal, finish } = capture(cli.terminal);
    terminal.out.write('done\nmore\n');
    terminal.err.write('State: here.\n');
    expect(err()).toBe('State: here.\n');
    finish(0);

    expect(JSON.parse(out())).toEqual({ ok: true, result: ['done', 'more'], messages: ['State: here.'] });
    expect(err()).toBe('State: here.\n');
  });

  test('a command without JSON of its own that fails prints what it has done next to the error', async () => {
    const { cli, out, err } = listen();
    const program = {
      name: 'tool',
      description: '',
      epilogue: '',
      register: (commands: CommandGroup) =>
        commands.command({
          name: 'act',
          description: 'acts',
          inputs: {},
          changes: true,
          async run({ terminal }) {
            terminal.out.write('updated g0\n');
            terminal.err.write('1 of 2 is done. Keep the old key.\n');
            throw new BerthError('BERTH_DPS_UNAVAILABLE', 'DPS is away.');
          },
        }),
    };

    expect(await runProgram(cli, ['act', '--json'], program)).toBe(1);

    expect(JSON.parse(out())).toEqual({
      error: { code: 'BERTH_DPS_UNAVAILABLE', message: 'DPS is away.', details: [] },
      result: ['updated g0'],
      messages: ['1 of 2 is done. Keep the old key.'],
    });
    expect(err()).toBe('1 of 2 is done. Keep the old key.\n');
  });

  test('an error of several lines is indented below its path', () => {
    const { cli, err } = listen();
    const details = [{ path: 'a.when', message: 'is wrong\nx = 1\n  ^' }];

    sayError(cli.terminal, new BerthError('BERTH_FLEET_INVALID', 'x has a problem.', { details }), false);

    expect(err()).toBe('x has a problem. [BERTH_FLEET_INVALID]\n  a.when is wrong\n    x = 1\n      ^\n');
  });

  test('the number of writes to a stream is counted, and the stream works as before', async () => {
    const stream = new PassThrough();
    const counted = countWrites(stream);

    expect(counted.writes()).toBe(0);
    counted.stream.write('a');
    expect([counted.writes(), String(stream.read())]).toEqual([1, 'a']);
  });

  test.each<[string, Readonly<Record<string, string>>, readonly string[], boolean]>([
    ['terminals', {}, [], true],
    ['terminals with NO_COLOR', { NO_COLOR: '1' }, [], false],
    ['terminals with --no-color', {}, ['--no-color'], false],
    ['a dumb terminal', { TERM: 'dumb' }, [], false],
  ])('on %s, the help has colors as it should', async (_, env, argv, hasColors) => {
    const { cli, out } = onTerminals(env);

    await berth(cli, 'pause', ...argv, '--help');

    expect(out().includes('\u001b[1m')).toBe(hasColors);
  });

  test('on a pipe, the help has no colors', async () => {
    const { cli, out } = listen();

    await berth(cli, '--help');

    expect(out()).not.toContain('\u001b');
  });
});
