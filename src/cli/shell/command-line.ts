import { Argument, Command, CommanderError, Option } from 'commander';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { invalid } from './arguments.ts';
import type { Cli } from './cli.ts';
import { bold } from './colors.ts';
import type { Given, Input, Inputs } from './inputs.ts';
import { asksForJson, capture, indented, sayError } from './json-mode.ts';
import { VERSION } from './version.ts';

/** A command: its name, its inputs and its function. */
export interface CommandDefinition<Of extends Inputs> {
  readonly name: string;
  readonly description: string;
  /** How to call it, for the help: one command a line. Every command of `berth` has one. */
  readonly example?: string;
  readonly inputs: Of;
  /** The group runs this command if no command is named. */
  readonly isDefault?: boolean;
  /**
   * Whether the command changes something: in Azure, in the state tables, or a file. It then finishes its work even if its output is
   * no longer read, as with `| head`. A command that only reads ends then.
   */
  readonly changes: boolean | ((given: Given<Of>) => boolean);
  /**
   * Returns the exit code.
   *
   * @throws BerthError for every error that the operator can correct
   */
  readonly run: (cli: Cli, given: Given<Of>) => Promise<number>;
}

/** A group to which commands add themselves. */
export interface CommandGroup {
  command<Of extends Inputs>(definition: CommandDefinition<Of>): void;
  group(name: string, description: string): CommandGroup;
}

/** A program: the name and texts of its help, and its commands. */
export interface Program {
  readonly name: string;
  readonly description: string;
  /** Text below the help. */
  readonly epilogue: string;
  readonly register: (commands: CommandGroup) => void;
}

/** The options that every command has. */
const NO_COLOR = '--no-color';
const JSON_FLAG = '--json';

/**
 * Runs the command that `argv` names, and returns its exit code. Writes the help and errors in flags to the
 * terminal.
 *
 * @param argv the arguments after the name of the program.
 * @throws BerthError what the command throws, and `BERTH_ARGUMENT_INVALID` for a value that cannot be read. With `--json`, the error of a
 *   command without JSON of its own is written here, with what the command has said before.
 */
export async function runProgram(cli: Cli, argv: readonly string[], program: Program): Promise<number> {
  const isJson = asksForJson(argv);
  const hasColors = showsColors(cli, argv);
  const terminal = { ...cli.terminal, hasColors };
  const io = { ...cli, terminal };
  let exitCode = 0;
  // Commands inherit these settings, so they must be set first.
  const root = new Command(program.name)
    .description(program.description)
    .version(VERSION, '-V, --version', 'print the version')
    .option(NO_COLOR, 'print no colors; NO_COLOR in the environment does the same')
    .addHelpText('after', program.epilogue)
    .exitOverride()
    .configureHelp({ styleTitle: (title) => bold(terminal, title) })
    .configureOutput({
      writeOut: (text) => void terminal.out.write(text),
      // With --json, the error is one JSON object, which is written below.
      writeErr: (text) => void (isJson || terminal.err.write(text)),
      getOutHasColors: () => hasColors,
      getErrHasColors: () => hasColors,
    });
  program.register(
    groupOf(root, io, isJson, (code) => {
      exitCode = code;
    }),
  );
  try {
    await root.parseAsync(helpOf(withoutColorFlag(argv)), { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (isJson && error.exitCode !== 0) sayError(terminal, invalid(usageProblem(error, program)), true);
    return error.exitCode;
  }
  return exitCode;
}

function usageProblem({ code, message }: CommanderError, { name }: Program): string {
  return code === 'commander.help'
    ? `No command is given. Run "${name} help" for the commands.`
    : message.replace(/^error: /, '').replaceAll('\n', ' ');
}

/** `help hub set` is `hub set --help`; the parser takes only the first word. */
function helpOf(argv: readonly string[]): readonly string[] {
  return argv[0] === 'help' && argv.length > 2 ? [...argv.slice(1), '--help'] : argv;
}

/** The flag may stand anywhere before `--`. */
function withoutColorFlag(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf('--');
  return argv.filter((text, index) => text !== NO_COLOR || (end !== -1 && index > end));
}

function showsColors({ terminal, env }: Cli, argv: readonly string[]): boolean {
  return (
    terminal.out.isTTY === true &&
    terminal.err.isTTY === true &&
    !env.NO_COLOR &&
    env.TERM !== 'dumb' &&
    withoutColorFlag(argv).length === argv.length
  );
}

function groupOf(parent: Command, cli: Cli, isJson: boolean, end: (exitCode: number) => void): CommandGroup {
  return {
    command({ name, description, example, inputs, isDefault = false, changes, run }) {
      const command = parent.command(name, { isDefault }).description(description);
      const readers = Object.entries(inputs).map(([flags, input]) => addInput(command, flags, input));
      const hasJson = Object.hasOwn(inputs, JSON_FLAG);
      if (!hasJson) command.option(JSON_FLAG, 'output JSON');
      const required = command.options.filter(({ mandatory }) => mandatory).map(({ flags }) => flags);
      if (required.length > 0) command.usage(['[options]', ...required, ...argumentsOf(command)].join(' '));
      if (example !== undefined) command.addHelpText('after', `\nExample:\n${indented(`  ${example}`, 2)}`);
      command.showHelpAfterError(`Run "${pathOf(command)} --help" for its options.`);
      command.action(async () => {
        const now = cli.now();
        const given = Object.fromEntries(readers.map((read) => read(now))) as Given<typeof inputs>;
        cli.begins?.(typeof changes === 'function' ? changes(given) : changes);
        if (hasJson || !isJson) return end(await run(cli, given));
        const captured = capture(cli.terminal);
        try {
          const exitCode = await run({ ...cli, terminal: captured.terminal }, given);
          captured.finish(exitCode);
          end(exitCode);
        } catch (error) {
          captured.fail(error);
          end(1);
        }
      });
    },
    group: (name, description) =>
      groupOf(
        parent
          .command(name)
          .description(description)
          .showHelpAfterError(`Run "${parent.name()} ${name} --help" for its commands.`),
        cli,
        isJson,
        end,
      ),
  };
}

/** `berth hub set` */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/** The arguments as the usage line shows them. */
function argumentsOf({ registeredArguments }: Command): readonly string[] {
  return registeredArguments.map((argument) => {
    const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
    return argument.required ? `<${name}>` : `[${name}]`;
  });
}

/** Returns the function that reads name and value after the command line is parsed. */
function addInput(
  command: Command,
  flags: string,
  input: Input,
): (now: EpochMs) => readonly [name: string, value: unknown] {
  if (flags.startsWith('-')) {
    const option = optionOf(flags, input);
    command.addOption(option);
    const name = option.attributeName();
    return (now) => [name, readValue(input, command.opts()[name], option.long ?? flags, now)];
  }
  const index = command.registeredArguments.length;
  const argument = argumentOf(flags, input);
  command.addArgument(argument);
  return (now) => [argument.name(), readValue(input, command.processedArgs[index], flags, now)];
}

function optionOf(flags: string, input: Input): Option {
  const option = new Option(flags, input.description).hideHelp(input.isHidden ?? false);
  switch (input.kind) {
    case 'toggle':
    case 'optional':
      return option;
    case 'required':
      return input.defaultText === undefined
        ? requiredOption(flags, input)
        : option.default(input.defaultText);
    case 'list':
      return option.default([]).argParser((value: string, before: readonly string[]) => [...before, value]);
  }
}

function requiredOption(flags: string, { description }: Input): Option {
  return new Option(flags, `${description} (required)`).makeOptionMandatory();
}

function argumentOf(flags: string, input: Input): Argument {
  const argument = new Argument(flags, input.description);
  return input.kind === 'required' && input.defaultText !== undefined
    ? argument.default(input.defaultText)
    : argument;
}

/** The parser guarantees that a required value is a text and that a list is an array. */
function readValue(input: Input, given: unknown, name: string, now: EpochMs): unknown {
  switch (input.kind) {
    case 'toggle':
      return given === true;
    case 'optional':
      return input.read(given as string | undefined, { name, now });
    case 'required':
      return input.read(given as string, { name, now });
    case 'list':
      return given;
  }
}
