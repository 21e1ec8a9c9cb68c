import { execFileSync } from 'node:child_process';
import * as z from 'zod';

const PROGRAM = `
  import { readFileSync } from 'node:fs';
  import { projectFiles } from './scripts/pack/project-files.mjs';
  console.log(JSON.stringify(projectFiles('.', JSON.parse(readFileSync('package.json', 'utf8')))));`;

/** The files of a new project by their paths, as the build makes them for `berth init`. */
export function projectFiles(): Readonly<Record<string, string>> {
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', PROGRAM], { encoding: 'utf8' });
  return z.record(z.string(), z.string()).parse(JSON.parse(output));
}
