import { readFileSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

export interface WatchFileOptions {
  readonly file: string;
  /** Called after each change of the content, when the file has been quiet for a moment. */
  readonly onChange: () => void;
  /** The watch has ended, for example because the folder was removed. */
  readonly onError: (error: Error) => void;
  /** How long the file must be quiet, in milliseconds. */
  readonly quietMs?: number;
}

/** An editor writes a file in several steps. */
const QUIET_MS = 200;

/**
 * Watches the content of a file. It watches the folder, because many editors replace the file by a new one, which a watch of
 * the old file does not see. A save without a change is ignored, and so is the moment in which the file does not exist.
 *
 * @returns a function that ends the watch
 * @throws Error if the folder cannot be watched
 */
export function watchFile({ file, onChange, onError, quietMs = QUIET_MS }: WatchFileOptions): () => void {
  let content = contentOf(file);
  let timer: NodeJS.Timeout | undefined;
  const compare = () => {
    const now = contentOf(file);
    if (now === undefined || now === content) return;
    content = now;
    onChange();
  };
  const watcher = watch(dirname(file), { persistent: false }, (_, name) => {
    // Some systems do not give the name.
    if (name !== null && name !== basename(file)) return;
    clearTimeout(timer);
    timer = setTimeout(compare, quietMs);
  });
  watcher.on('error', onError);
  return () => {
    clearTimeout(timer);
    watcher.close();
  };
}

function contentOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
