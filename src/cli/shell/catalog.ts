import type { CommandDefinition, CommandGroup, Program } from './command-line.ts';
import { type Input, type Inputs, JSON_OUTPUT } from './inputs.ts';

/** An input without the function that reads its value. */
export type CatalogInput = Pick<Input, 'kind' | 'description' | 'isHidden' | 'choices'> & {
  readonly defaultText?: string | undefined;
};

/** A command or a group of commands, as the help and the completion show it. */
export interface CatalogCommand {
  readonly name: string;
  readonly description: string;
  /** A group has none. */
  readonly example?: string;
  readonly isDefault: boolean;
  readonly inputs: Readonly<Record<string, CatalogInput>>;
  /** The commands of a group; undefined for a command. */
  readonly commands?: readonly CatalogCommand[];
}

/**
 * All commands of a program as JSON, without their functions. The bundle of `berth` contains it, so that the help loads
 * nothing else.
 */
export interface Catalog extends Omit<Program, 'register'> {
  readonly commands: readonly CatalogCommand[];
}

/** Collects the commands of a program. */
export function catalogOf({ register, ...texts }: Program): Catalog {
  return { ...texts, commands: collect(register) };
}

/**
 * The program of a catalog. Its commands check flags and show help. Each of them then calls `run`. The real command says whether it changes
 * something.
 *
 * @param run runs the real command of the same name. Returns the exit code.
 */
export function programOf({ commands, ...texts }: Catalog, run: () => Promise<number>): Program {
  return { ...texts, register: (group) => registerAll(group, commands, run) };
}

function collect(register: Program['register']): readonly CatalogCommand[] {
  const commands: CatalogCommand[] = [];
  register(recorderOf(commands));
  return commands;
}

function recorderOf(commands: CatalogCommand[]): CommandGroup {
  return {
    command: (definition) => void commands.push(entryOf(definition)),
    group(name, description) {
      const members: CatalogCommand[] = [];
      commands.push({ name, description, isDefault: false, inputs: {}, commands: members });
      return recorderOf(members);
    },
  };
}

function entryOf<Of extends Inputs>(definition: CommandDefinition<Of>): CatalogCommand {
  const { name, description, example, isDefault = false, inputs } = definition;
  // Every command takes --json.
  const all: Inputs = { ...inputs, ...JSON_OUTPUT };
  const entries = Object.entries(all).map(([flags, input]) => [flags, inputOf(input)] as const);
  return {
    name,
    description,
    ...(example !== undefined && { example }),
    isDefault,
    inputs: Object.fromEntries(entries),
  };
}

function inputOf(input: Input): CatalogInput {
  const { kind, description, isHidden, choices } = input;
  return {
    kind,
    description,
    ...(isHidden && { isHidden }),
    ...(choices !== undefined && { choices }),
    ...(input.kind === 'required' && { defaultText: input.defaultText }),
  };
}

function registerAll(
  group: CommandGroup,
  commands: readonly CatalogCommand[],
  run: () => Promise<number>,
): void {
  for (const { commands: members, inputs, ...entry } of commands) {
    if (members !== undefined) registerAll(group.group(entry.name, entry.description), members, run);
    else group.command({ ...entry, inputs: inputsOf(inputs), changes: false, run });
  }
}

/** Values are read by the real command. */
function inputsOf(inputs: CatalogCommand['inputs']): Inputs {
  const read = (text: unknown) => text;
  return Object.fromEntries(
    Object.entries(inputs).map(([flags, input]) => [flags, { ...input, read } as Input]),
  );
}
