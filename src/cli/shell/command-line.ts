import { Argument, Command, CommanderError, Option } from 'commander';
import type { EpochMs } from '../../time/epoch-ms.ts';
import type { Cli } from './cli.ts';
import type { Given, Input, Inputs } from './inputs.ts';

/** A command: its name, its inputs and its function. */
export interface CommandDefinition<Of extends Inputs> {
  readonly name: string;
  readonly description: string;
  readonly inputs: Of;
  /** The group runs this command if no command is named. */
  readonly isDefault?: boolean;
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

/**
 * Runs the command that `argv` names, and returns its exit code. Writes the help and errors in flags to the
 * terminal.
 *
 * @param argv the arguments after the name of the program.
 * @throws BerthError what the command throws, and `BERTH_ARGUMENT_INVALID` for a value that cannot be read
 */
export async function runProgram(cli: Cli, argv: readonly string[], program: Program): Promise<number> {
  let exitCode = 0;
  // Commands inherit these settings, so they must be set first.
  const root = new Command(program.name)
    .description(program.description)
    .addHelpText('after', program.epilogue)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void cli.terminal.out.write(text),
      writeErr: (text) => void cli.terminal.err.write(text),
    });
  program.register(
    groupOf(root, cli, (code) => {
      exitCode = code;
    }),
  );
  try {
    await root.parseAsync(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode;
  }
  return exitCode;
}

function groupOf(parent: Command, cli: Cli, end: (exitCode: number) => void): CommandGroup {
  return {
    command({ name, description, inputs, isDefault = false, run }) {
      const command = parent.command(name, { isDefault }).description(description);
      const readers = Object.entries(inputs).map(([flags, input]) => addInput(command, flags, input));
      command.action(async () => {
        const now = cli.now();
        const given = Object.fromEntries(readers.map((read) => read(now)));
        end(await run(cli, given as Given<typeof inputs>));
      });
    },
    group: (name, description) => groupOf(parent.command(name).description(description), cli, end),
  };
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
      return option.default(false);
    case 'optional':
      return option;
    case 'required':
      return input.defaultText === undefined
        ? option.makeOptionMandatory()
        : option.default(input.defaultText);
    case 'list':
      return option.default([]).argParser((value: string, before: readonly string[]) => [...before, value]);
  }
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
