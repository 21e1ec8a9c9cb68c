import * as z from 'zod';
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
  return record.parse(line);
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
