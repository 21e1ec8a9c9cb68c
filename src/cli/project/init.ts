import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import * as z from 'zod';
import { BerthError, type ErrorDetail } from '../../errors.ts';
import { isObject, type JsonObject } from '../../json/json.ts';
import { checkFleetFile, jsonOf, sayChecked } from '../fleet/validate.ts';
import { invalid } from '../shell/arguments.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { parseJsonFile, readTextFile } from '../shell/files.ts';
import { type Given, JSON_OUTPUT, text, textOr, toggle } from '../shell/inputs.ts';
import { printable } from '../shell/printable.ts';
import { plural, say, sayJson } from '../shell/terminal.ts';
import { projectFromAzure, projectPathsFromAzure } from './from-azure.ts';
import { obstaclesIn, overwrite, textIn, writeNewFiles } from './project-folder.ts';
import { mergeManifest } from './project-manifest.ts';

const MANIFEST = 'package.json';

const INPUTS = {
  '[folder]': textOr('.', 'the folder of the project'),
  '--from-azure': toggle(
    'fill the files with what a DPS and its hubs in Azure have; needs AZURE_SUBSCRIPTION_ID',
  ),
  '--dps <name>': text('with --from-azure: the DPS, if the subscription has several'),
  ...JSON_OUTPUT,
};

/**
 * `berth init`: writes the files of a new project with the sample fleet. It overwrites nothing: if one of its files exists,
 * it lists them and writes none. A package.json, such as `npm install` writes, gets what is missing.
 */
export function registerInit(berth: CommandGroup): void {
  berth.command({
    name: 'init',
    description:
      'make a new project in a folder, with a sample fleet or the one in Azure; it overwrites no file',
    inputs: INPUTS,
    example: 'berth init\nberth init --from-azure --dps contoso-dps',
    changes: true,
    run: init,
  });
}

async function init(
  { terminal, env, projectFile = join(__dirname, 'project.json') }: Cli,
  { folder, fromAzure, dps, json }: Given<typeof INPUTS>,
): Promise<number> {
  if (dps !== undefined && !fromAzure) throw invalid('--dps is only for --from-azure.');
  const { [MANIFEST]: manifest = '{}', ...sample } = readProjectFiles(projectFile);
  const root = resolve(folder);
  const merged = manifestIn(root, manifest);
  const paths = fromAzure ? projectPathsFromAzure(sample) : Object.keys(sample);
  const obstacles = [...obstaclesIn(root, paths), ...(merged.ok ? [] : merged.conflicts)];
  if (obstacles.length > 0) throw notEmpty(root, obstacles);
  if (!merged.ok) return 1;
  const found = fromAzure ? await projectFromAzure(env, sample, dps) : undefined;
  const files = found?.files ?? sample;
  writeNewFiles(root, files);
  overwrite(join(root, MANIFEST), merged.text);
  const written = [...Object.keys(files), MANIFEST];
  const next = nextSteps(root, objectIn(manifest, projectFile));
  const checked = found === undefined ? undefined : checkFleetFile(join(root, 'fleet.json'), {}, {});
  if (json) {
    sayJson(terminal, {
      folder: root,
      written,
      next: next.map(({ command }) => command),
      ...(found !== undefined && { notes: found.notes }),
      ...(checked !== undefined && { fleet: jsonOf(checked) }),
    });
    return 0;
  }
  say(
    terminal,
    found === undefined
      ? `A new project with a sample fleet is in ${root}:`
      : `A new project with ${plural(found.hubs, 'hub')} and ${plural(found.enrollments, 'enrollment')} of the DPS ${found.dps} is in ${root}:`,
  );
  for (const file of written) say(terminal, `  ${file}`);
  if (found !== undefined && found.notes.length > 0) say(terminal, '\nAdd by hand:');
  for (const { path, message } of found?.notes ?? [])
    say(terminal, `  ${printable(path)} ${printable(message)}`);
  if (checked !== undefined) {
    say(terminal, '\nberth validate says:');
    sayChecked(terminal, checked);
  }
  say(terminal, '\nNext steps:');
  const width = Math.max(...next.map(({ command }) => command.length));
  for (const { command, why } of next) say(terminal, `  ${command.padEnd(width)}  ${why}`);
  return 0;
}

/** The files of a new project, by their paths with slashes. The build makes them. */
function readProjectFiles(file: string): Readonly<Record<string, string>> {
  return z.record(z.string(), z.string()).parse(parseJsonFile(readTextFile(file), file));
}

/** package.json as it should become. */
function manifestIn(root: string, needed: string): ReturnType<typeof mergeManifest> {
  const file = join(root, MANIFEST);
  const text = textIn(file);
  if (text === undefined) return { ok: true, text: needed };
  const hasDefaultMain = existsSync(join(root, 'index.js'));
  return mergeManifest({ text, json: objectIn(text, file) }, objectIn(needed, file), hasDefaultMain);
}

function objectIn(text: string, file: string): JsonObject {
  const json = parseJsonFile(text, file);
  if (isObject(json)) return json;
  throw new BerthError('BERTH_FILE_UNREADABLE', `${file} is not a JSON object.`);
}

function notEmpty(root: string, obstacles: readonly ErrorDetail[]): BerthError {
  return new BerthError(
    'BERTH_PROJECT_EXISTS',
    `berth init overwrites no file, and ${root} has some of those that it writes. It wrote nothing. Move them away, or choose another folder: berth init FOLDER.`,
    { details: obstacles },
  );
}

interface NextStep {
  readonly command: string;
  readonly why: string;
}

/** What to run next, from the folder in which the command runs. */
function nextSteps(root: string, manifest: JsonObject): readonly NextStep[] {
  const path = relative(process.cwd(), root);
  const [name = ''] = Object.keys(manifest.dependencies ?? {});
  const isInstalled = existsSync(join(root, 'node_modules', name));
  return [
    ...(path === '' ? [] : [{ command: `cd ${path}`, why: '' }]),
    ...(isInstalled ? [] : [{ command: 'npm install', why: `installs ${name}` }]),
    { command: 'npx --no berth validate --strict', why: 'checks fleet.json' },
    { command: 'npm start', why: 'runs the fleet on this machine, with simulated devices' },
    { command: 'git init && git add .', why: 'keeps the project; README.md describes its files' },
  ];
}
