import * as z from 'zod';
import { isObject } from '../../src/json/json.ts';
import type { StoredEvent } from './event.ts';

const place = {
  sequenceNumber: z.int().min(-1),
  offset: z.int().min(-1),
  enqueuedTime: z.int().min(0),
};

/** Header and message are base64. */
const event = z.object({ ...place, header: z.string(), message: z.string() });

/** The first record of a rewritten log: the last position of the partition. The stored events follow. */
const restart = z.object({ last: z.object(place), nextOffset: z.int().min(0) });

const record = z.union([event, restart]);

/** One line of a partition's journal. */
export type LogRecord = z.infer<typeof record>;

/** @throws ZodError for a line that Berth cannot have written. */
export function readLogRecord(line: unknown): LogRecord {
  return isEvent(line) ? line : record.parse(line);
}

/** Whether the schema of events accepts a line, in a tenth of its time: a log can have a hundred thousand events. */
function isEvent(line: unknown): line is z.infer<typeof event> {
  if (!isObject(line)) return false;
  const { sequenceNumber, offset, enqueuedTime, header, message } = line;
  return (
    isIntegerFrom(-1, sequenceNumber) &&
    isIntegerFrom(-1, offset) &&
    isIntegerFrom(0, enqueuedTime) &&
    typeof header === 'string' &&
    typeof message === 'string'
  );
}

function isIntegerFrom(least: number, value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= least;
}

export function writeLogRecord(stored: StoredEvent): LogRecord {
  return {
    sequenceNumber: stored.sequenceNumber,
    offset: stored.offset,
    enqueuedTime: stored.enqueuedTime,
    header: stored.header.toString('base64'),
    message: stored.message.toString('base64'),
  };
}
