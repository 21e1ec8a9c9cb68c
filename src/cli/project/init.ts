import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import * as z from 'zod';
import { BerthError, type ErrorDetail } from '../../errors.ts';
import { isObject, type JsonObject } from '../../json/json.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { parseJsonFile, readTextFile } from '../shell/files.ts';
import { type Given, JSON_OUTPUT, textOr } from '../shell/inputs.ts';
import { say, sayJson } from '../shell/terminal.ts';
import { obstaclesIn, overwrite, textIn, writeNewFiles } from './project-folder.ts';
import { mergeManifest } from './project-manifest.ts';

const MANIFEST = 'package.json';

const INPUTS = {
  '[folder]': textOr('.', 'the folder of the project'),
  ...JSON_OUTPUT,
};

/**
 * `berth init`: writes the files of a new project with the sample fleet. It overwrites nothing: if one of its files exists,
 * it lists them and writes none. A package.json, such as `npm install` writes, gets what is missing.
 */
export function registerInit(berth: CommandGroup): void {
  berth.command({
    name: 'init',
    description: 'make a new project with a sample fleet in a folder; it overwrites no file',
    inputs: INPUTS,
    example: 'berth init',
    run: init,
  });
}

async function init(
  { terminal, projectFile = join(__dirname, 'project.json') }: Cli,
  { folder, json }: Given<typeof INPUTS>,
): Promise<number> {
  const { [MANIFEST]: manifest = '{}', ...files } = readProjectFiles(projectFile);
  const root = resolve(folder);
  const merged = manifestIn(root, manifest);
  const obstacles = [...obstaclesIn(root, Object.keys(files)), ...(merged.ok ? [] : merged.conflicts)];
  if (obstacles.length > 0) throw notEmpty(root, obstacles);
  if (!merged.ok) return 1;
  writeNewFiles(root, files);
  overwrite(join(root, MANIFEST), merged.text);
  const written = [...Object.keys(files), MANIFEST];
  const next = nextSteps(root, objectIn(manifest, projectFile));
  if (json) {
    sayJson(terminal, { folder: root, written, next: next.map(({ command }) => command) });
    return 0;
  }
  say(terminal, `A new project with a sample fleet is in ${root}:`);
  for (const file of written) say(terminal, `  ${file}`);
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
