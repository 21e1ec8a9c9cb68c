import { createRequire } from 'node:module';
import { extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { glob } from 'tinyglobby';
import * as z from 'zod';
import { LocalError } from '../../errors.ts';
import { readAppFile } from '../settings.ts';

const PACKAGE_FILE = z.object({ main: z.string().min(1).optional(), type: z.string().optional() });

/**
 * Loads the entry files that `main` of package.json names (a glob), in order, as the worker does
 * (nodejs-worker `startApp.ts`, `loadScriptFile.ts`). Call `provideCoreModule` first.
 *
 * @throws LocalError `BERTH_LOCAL_APP_MISSING` when there is no entry file, `BERTH_LOCAL_APP_BROKEN` when one
 *   throws.
 */
export async function loadEntryFiles(directory: string): Promise<void> {
  const { main, type } = readAppFile(directory, 'package.json', PACKAGE_FILE) ?? {};
  if (main === undefined) {
    throw new LocalError(
      'BERTH_LOCAL_APP_MISSING',
      `${join(directory, 'package.json')} is missing, or its "main" does not name the entry files of the app.`,
    );
  }
  const files = await entryFiles(main, directory);
  if (files.length === 0) {
    throw new LocalError(
      'BERTH_LOCAL_APP_MISSING',
      `No file in ${directory} matches "main": "${main}". Build the app first.`,
    );
  }
  const require = createRequire(join(directory, 'package.json'));
  for (const file of files) {
    const path = join(directory, file);
    const isModule = extname(file) === '.mjs' || (extname(file) !== '.cjs' && type === 'module');
    try {
      if (isModule) await import(pathToFileURL(path).href);
      else require(path);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new LocalError('BERTH_LOCAL_APP_BROKEN', `Loading ${path} failed: ${reason}`, { cause: error });
    }
  }
}

/**
 * The files that a glob matches. Alternatives in braces keep their order, as with the worker's globby. The files of
 * each alternative are sorted by name.
 */
async function entryFiles(pattern: string, directory: string): Promise<readonly string[]> {
  const [, before = '', alternatives, after = ''] = /^([^{}]*)\{([^{}]*)\}([^{}]*)$/.exec(pattern) ?? [];
  const patterns = alternatives?.split(',').map((alternative) => before + alternative + after) ?? [pattern];
  const files = new Set<string>();
  for (const each of patterns) {
    for (const file of (await glob(each, { cwd: directory })).sort()) files.add(file);
  }
  return [...files];
}
