import type { Catalog, CatalogCommand, CatalogInput } from '../shell/catalog.ts';

/** A word that may follow, with its description. */
export interface CompletionWord {
  readonly word: string;
  readonly description: string;
}

/** An option, and what follows it. */
export interface CompletionOption extends CompletionWord {
  /** `none`: it is a toggle. `text`: a value that the shell cannot know. */
  readonly value: 'none' | 'text' | 'file' | readonly string[];
}

/** What may follow a command: `''` is `berth` itself, `'hub set'` the command `berth hub set`. */
export interface CompletionNode {
  readonly path: string;
  /** The commands of a group. */
  readonly commands: readonly CompletionWord[];
  readonly options: readonly CompletionOption[];
  /** The possible values of the argument. */
  readonly values: readonly string[];
  /** True if the argument is a file. */
  readonly takesFile: boolean;
}

const HELP: CompletionOption = { word: '--help', description: 'show the help', value: 'none' };
const NO_COLOR: CompletionOption = { word: '--no-color', description: 'print no colors', value: 'none' };
const VERSION: CompletionOption = { word: '--version', description: 'print the version', value: 'none' };
const HELP_COMMAND: CompletionWord = { word: 'help', description: 'show the help of a command' };

/** All commands of a catalog, `berth` itself first. */
export function nodesOf({ commands }: Catalog): readonly CompletionNode[] {
  const root: CompletionNode = {
    path: '',
    commands: [...commands.map(wordOf), HELP_COMMAND],
    options: [HELP, VERSION, NO_COLOR],
    values: [],
    takesFile: false,
  };
  const help: CompletionNode = {
    path: HELP_COMMAND.word,
    commands: commands.map(wordOf),
    options: [],
    values: [],
    takesFile: false,
  };
  return [root, ...commands.flatMap((command) => nodesBelow('', command)), help];
}

function nodesBelow(above: string, command: CatalogCommand): readonly CompletionNode[] {
  const path = above === '' ? command.name : `${above} ${command.name}`;
  const members = command.commands ?? [];
  const inputs = Object.entries(members.find(({ isDefault }) => isDefault)?.inputs ?? command.inputs).filter(
    ([, input]) => input.isHidden !== true,
  );
  const [options, args] = [
    inputs.filter(([flags]) => flags.startsWith('-')),
    inputs.filter(([flags]) => !flags.startsWith('-')),
  ];
  const node: CompletionNode = {
    path,
    commands: members.map(wordOf),
    options: [...options.map(([flags, input]) => optionOf(flags, input)), HELP, NO_COLOR],
    values: args.flatMap(([, { choices }]) => choices ?? []),
    takesFile: args.some(([flags]) => isFile(flags)),
  };
  return [node, ...members.flatMap((member) => nodesBelow(path, member))];
}

function wordOf({ name, description }: Pick<CatalogCommand, 'name' | 'description'>): CompletionWord {
  return { word: name, description };
}

function optionOf(flags: string, { kind, description, choices }: CatalogInput): CompletionOption {
  const [word = ''] = flags.split(' ');
  const value = kind === 'toggle' ? 'none' : (choices ?? (isFile(flags) ? 'file' : 'text'));
  return { word, description, value };
}

/** `--fleet <file>`, `[file]`, `--devices <file|n>` */
function isFile(flags: string): boolean {
  return /[<[]file\b/.test(flags);
}
