import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import type { ModelFile } from '../fleet/file/models.ts';

/** The folder of DTDL files, next to the fleet file. */
const FOLDER = 'models';

/**
 * The DTDL files of a fleet file: every `.json` in the folder `models` next to it, at any depth, sorted by name. Without
 * this folder there are none.
 *
 * @throws the error of the file system if the folder or a file cannot be read
 */
export function readModelFiles(fleetFile: string): readonly ModelFile[] {
  const folder = join(dirname(fleetFile), FOLDER);
  return namesIn(folder)
    .sort()
    .map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') }));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory() && entry.name.endsWith('.json'))
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
