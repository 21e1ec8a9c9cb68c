import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

/** Journals hold the devices' keys. */
const OWNER_ONLY = 0o600;

/**
 * The memory of a local service: one JSON record a line, appended before the caller goes on, read back when
 * the service opens again. A process that is killed loses nothing that it has acknowledged, because the
 * operating system holds what was written.
 */
export interface Journal<Record> {
  append(record: Record): void;
  /** Replaces everything by these records (the live state), so that the file does not grow for ever. */
  compact(records: Iterable<Record>): void;
  close(): void;
}

/**
 * Opens `file` (undefined: nothing is kept) and hands every record of an earlier life to `replay`, in order.
 * A last line that a crash tore is cut off.
 */
export function openJournal<Record>(
  file: string | undefined,
  replay: (record: Record) => void,
): Journal<Record> {
  if (file === undefined) return { append() {}, compact() {}, close() {} };
  mkdirSync(dirname(file), { recursive: true });
  let length = 0;
  if (existsSync(file)) {
    const text = readFileSync(file);
    length = text.lastIndexOf(0x0a) + 1;
    for (const line of text.subarray(0, length).toString('utf8').split('\n')) {
      if (line !== '') replay(JSON.parse(line) as Record);
    }
  }
  let descriptor = openSync(file, 'a', OWNER_ONLY);
  ftruncateSync(descriptor, length);
  return {
    append(record) {
      writeSync(descriptor, `${JSON.stringify(record)}\n`);
    },
    compact(records) {
      const next = `${file}.next`;
      const target = openSync(next, 'w', OWNER_ONLY);
      for (const record of records) writeSync(target, `${JSON.stringify(record)}\n`);
      closeSync(target);
      closeSync(descriptor);
      renameSync(next, file);
      descriptor = openSync(file, 'a', OWNER_ONLY);
    },
    close() {
      closeSync(descriptor);
    },
  };
}
