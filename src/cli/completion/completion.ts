import { invalid } from '../shell/arguments.ts';
import type { Catalog } from '../shell/catalog.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { oneOf, required } from '../shell/inputs.ts';
import { bashScript } from './bash.ts';
import { type CompletionNode, nodesOf } from './completion-nodes.ts';
import { fishScript } from './fish.ts';
import { powershellScript } from './powershell.ts';
import { zshScript } from './zsh.ts';

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript, powershell: powershellScript } as const;
type Shell = keyof typeof SCRIPTS;
const SHELLS = Object.keys(SCRIPTS) as readonly Shell[];

const INPUTS = {
  '<shell>': oneOf(SHELLS, required(`one of ${SHELLS.join(', ')}`, readShell)),
};

/** `berth completion`: prints the script with which a shell completes the commands and options of `berth`. */
export function registerCompletion(berth: CommandGroup, catalog: () => Catalog): void {
  berth.command({
    name: 'completion',
    description: 'print a script that completes commands and options in a shell',
    inputs: INPUTS,
    example: 'source <(berth completion bash)',
    changes: false,
    run: async ({ terminal }, { shell }) => {
      terminal.out.write(completionScript(shell, catalog()));
      return 0;
    },
  });
}

/** The script of a shell. It contains all names and calls nothing. */
export function completionScript(shell: Shell, catalog: Catalog): string {
  const nodes: readonly CompletionNode[] = nodesOf(catalog);
  return `${SCRIPTS[shell](nodes).trimEnd()}\n`;
}

function readShell(text: string, { name }: { readonly name: string }): Shell {
  const known = SHELLS.find(
    (shell) => shell === text.toLowerCase() || (text === 'pwsh' && shell === 'powershell'),
  );
  if (known !== undefined) return known;
  throw invalid(`${name} is "${text}": write one of ${SHELLS.join(', ')}.`);
}
