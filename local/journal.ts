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

/** Journals contain the keys of devices. */
const OWNER_ONLY = 0o600;
const NEWLINE = 0x0a;
/** Without state, because it is not used for streams: one serves all lines. */
const UTF8 = new TextDecoder('utf-8', { fatal: true });

/**
 * The stored state of a local service: one JSON record on each line. `append` returns after the write, and the
 * service reads all records when it starts again. A killed process loses no acknowledged record, because the
 * operating system keeps what was written.
 */
export interface Journal<Record> {
  /** @throws LocalError `BERTH_LOCAL_STATE_UNUSABLE`, for example if the disk is full. The record is not appended. */
  append(record: Record): void;
  /**
   * Replaces everything by these records (the current state), so that the file does not grow without limit. If the
   * write fails, the file does not change.
   */
  compact(records: Iterable<Record>): void;
  close(): void;
}

/**
 * Opens `file` (undefined: nothing is stored) and passes every record of earlier runs to `replay`, in order.
 * `replay` checks the record and throws if Berth cannot have written it. If a crash cut off the last line, this
 * line is removed. A file with any other fault is not changed.
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
        // An incomplete line would damage the file.
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

interface ReplayedFile {
  /** Bytes of the file, without a last line that a crash cut off. */
  readonly length: number;
  /** Whether the last line has no line break. */
  readonly lacksEnd: boolean;
}

/** Replays every complete record. */
function replayFile(file: string, replay: (record: unknown) => void): ReplayedFile {
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

/** Whether a last line is complete except for its line break, as after a manual edit. */
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
    record = JSON.parse(UTF8.decode(bytes));
  } catch (error) {
    throw damaged(file, `line ${line} is not JSON`, error);
  }
  try {
    replay(record);
  } catch (error) {
    throw damaged(file, `line ${line} is not a valid record of this file${pathIn(error)}`, error);
  }
}

/** The path of the wrong value in a record, never the value itself. */
function pathIn(error: unknown): string {
  if (!(error instanceof z.ZodError)) return '';
  const path = error.issues[0]?.path.map(String).join('.');
  return path ? ` (see "${path}")` : '';
}

/** Whether this is empty or can be the start of a record: text without control characters that opens an object. */
function isTorn(tail: Buffer): boolean {
  return (
    tail.length === 0 ||
    (/^\{("|$)/.test(tail.toString('latin1', 0, 2)) && tail.every((byte) => byte >= 0x20))
  );
}

/** Returns the number of bytes; undefined if the file could not be written. */
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

/** On a nearly full disk, `writeSync` can write only some of the bytes without an error. */
function writeWhole(descriptor: number, bytes: Buffer): void {
  for (let written = 0; written < bytes.length; ) {
    written += writeSync(descriptor, bytes, written);
  }
}
