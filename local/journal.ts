import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import * as z from 'zod';
import { isObject } from '../src/json/json.ts';
import { damaged, errorCode, onState, stateFailure } from './state/failure.ts';

/** Journals hold the devices' keys. */
const OWNER_ONLY = 0o600;
const NEWLINE = 0x0a;

/**
 * The memory of a local service: one JSON record a line, appended before the caller goes on, read back when
 * the service opens again. A process that is killed loses nothing that it has acknowledged, because the
 * operating system holds what was written.
 */
export interface Journal<Record> {
  /** @throws LocalError `BERTH_LOCAL_STATE_UNUSABLE`, as where the disk is full; nothing is appended then. */
  append(record: Record): void;
  /**
   * Replaces everything by these records (the live state), so that the file does not grow for ever. Where that
   * cannot be written, the file stays as it is.
   */
  compact(records: Iterable<Record>): void;
  close(): void;
}

/**
 * Opens `file` (undefined: nothing is kept) and hands every record of an earlier life to `replay`, in order.
 * `replay` checks it, and throws at one that Berth cannot have written. A last line that a crash tore is cut
 * off; a file with any other fault is left as it is.
 *
 * @throws LocalError `BERTH_LOCAL_STATE_DAMAGED`, `BERTH_LOCAL_STATE_UNUSABLE`
 */
export function openJournal<Record>(
  file: string | undefined,
  replay: (record: unknown) => void,
): Journal<Record> {
  if (file === undefined) return { append() {}, compact() {}, close() {} };
  onState(dirname(file), () => mkdirSync(dirname(file), { recursive: true }));
  const kept = existsSync(file) ? replayFile(file, replay) : { length: 0, lacksEnd: false };
  let descriptor = onState(file, () => openSync(file, 'a', OWNER_ONLY));
  onState(file, () => ftruncateSync(descriptor, kept.length));
  if (kept.lacksEnd) onState(file, () => writeWhole(descriptor, Buffer.of(NEWLINE)));
  let length = kept.length + (kept.lacksEnd ? 1 : 0);
  return {
    append(record) {
      const line = lineOf(record);
      try {
        writeWhole(descriptor, line);
      } catch (error) {
        // A part of a line would damage the file.
        onState(file, () => ftruncateSync(descriptor, length));
        throw stateFailure(error, file);
      }
      length += line.length;
    },
    compact(records) {
      const next = `${file}.next`;
      const written = writeNew(next, records);
      if (written === undefined) return;
      closeSync(descriptor);
      renameSync(next, file);
      descriptor = openSync(file, 'a', OWNER_ONLY);
      length = written;
    },
    close() {
      closeSync(descriptor);
    },
  };
}

interface Kept {
  /** Of the file, up to a line that a crash tore. */
  readonly length: number;
  /** Whether the last line lacks its end. */
  readonly lacksEnd: boolean;
}

/** Replays every whole record. */
function replayFile(file: string, replay: (record: unknown) => void): Kept {
  const bytes = onState(file, () => readFileSync(file));
  const length = bytes.lastIndexOf(NEWLINE) + 1;
  let line = 0;
  for (let start = 0; start < length; ) {
    const end = bytes.indexOf(NEWLINE, start);
    line += 1;
    if (end > start) replayLine(file, line, bytes.subarray(start, end), replay);
    start = end + 1;
  }
  const tail = bytes.subarray(length);
  if (isWhole(tail)) {
    replayLine(file, line + 1, tail, replay);
    return { length: bytes.length, lacksEnd: true };
  }
  if (!isTorn(tail)) throw damaged(file, `line ${line + 1} is not JSON`);
  return { length, lacksEnd: false };
}

/** Whether a last line lacks nothing but its end, as after an edit by hand. */
function isWhole(tail: Buffer): boolean {
  try {
    return tail.length > 0 && isObject(JSON.parse(tail.toString('utf8')));
  } catch {
    return false;
  }
}

function replayLine(file: string, line: number, bytes: Buffer, replay: (record: unknown) => void): void {
  let record: unknown;
  try {
    record = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw damaged(file, `line ${line} is not JSON`, error);
  }
  try {
    replay(record);
  } catch (error) {
    throw damaged(file, `line ${line} is not a record of this file${placeIn(error)}`, error);
  }
}

/** Where a record is wrong; never what it holds there. */
function placeIn(error: unknown): string {
  if (!(error instanceof z.ZodError)) return '';
  const path = error.issues[0]?.path.map(String).join('.');
  return path ? ` (see "${path}")` : '';
}

/** Whether this can be the beginning of a record, or nothing: text without control characters that opens an object. */
function isTorn(tail: Buffer): boolean {
  return (
    tail.length === 0 ||
    (/^\{("|$)/.test(tail.toString('latin1', 0, 2)) && tail.every((byte) => byte >= 0x20))
  );
}

/** Answers the number of bytes; undefined where they could not be written. */
function writeNew(file: string, records: Iterable<unknown>): number | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, 'w', OWNER_ONLY);
    let length = 0;
    for (const record of records) {
      const line = lineOf(record);
      writeWhole(descriptor, line);
      length += line.length;
    }
    return length;
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    rmSync(file, { force: true });
    return undefined;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function lineOf(record: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(record)}\n`);
}

/** On a disk that is nearly full, a part of the bytes is written without an error. */
function writeWhole(descriptor: number, bytes: Buffer): void {
  for (let written = 0; written < bytes.length; ) {
    written += writeSync(descriptor, bytes, written);
  }
}
