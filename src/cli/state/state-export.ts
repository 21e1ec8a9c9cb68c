import { stamp } from '../../settings/settings.ts';
import { exportText } from '../../store/export/state-export.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { writeNewFile } from '../shell/files.ts';
import { type Given, JSON_OUTPUT, text } from '../shell/inputs.ts';
import { openState } from '../shell/state.ts';
import { sayJson, tell } from '../shell/terminal.ts';
import { partsText } from './parts-text.ts';

const INPUTS = {
  '--out <file>': text('a new file for the export (default: standard output)'),
  ...JSON_OUTPUT,
};

/** `berth state export`: writes what people made in the state tables, as one JSON document. */
export function registerStateExport(state: CommandGroup): void {
  state.command({
    name: 'export',
    description: 'write pauses, rollouts, overrides, fleet files and kept-out devices as JSON',
    inputs: INPUTS,
    example: 'berth state export --out state.json',
    changes: ({ out }) => out !== undefined,
    run: exportState,
  });
}

async function exportState(
  { terminal, env, now }: Cli,
  { out: file, json }: Given<typeof INPUTS>,
): Promise<number> {
  const state = openState(env);
  const { exported, damaged } = await state.exporter.export({
    now: now(),
    from: state.place,
    stamp: stamp(env),
  });
  if (file === undefined) terminal.out.write(exportText(exported));
  else {
    writeNewFile(file, exportText(exported));
    const documents = Object.entries(exported.parts).map(([part, { length }]) => [part, length] as const);
    if (json) sayJson(terminal, { file, documents: Object.fromEntries(documents), damaged });
  }
  tell(terminal, `Exported from ${state.place}: ${partsText((name) => exported.parts[name]?.length ?? 0)}.`);
  for (const row of damaged) {
    tell(terminal, `Not exported, because it is damaged: the row ${row} of berthstate.`);
  }
  tell(terminal, 'The export holds no secret. The redaction key is not in it.');
  return 0;
}
