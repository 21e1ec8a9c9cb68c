import * as z from 'zod';
import type { EpochMs } from './epoch-ms.ts';

/** The greatest distance from 1970 that a `Date` can hold (ECMAScript, Time Values and Time Range). */
const MOST_MS = 8.64e15;

/** A time in a stored document. */
export const epochMsSchema = z.number().min(-MOST_MS).max(MOST_MS) as unknown as z.ZodType<EpochMs, EpochMs>;
