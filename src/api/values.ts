import * as z from 'zod';
import { ERRORS, type ErrorCode } from '../errors.ts';
import type { JsonObject, JsonValue } from '../json/json.ts';
import { POLICY_STATUSES, TWIN_STATUSES, WORK_PRIORITIES } from '../twin/snapshot/snapshot.ts';

/* The values that the answers of the HTTP functions are made of. */

/** The type of an answer, for handlers and clients. Answers are read-only. */
export type Answer<Schema extends z.ZodType> = ReadonlyDeep<z.output<Schema>>;

type ReadonlyDeep<Value> = Value extends readonly (infer Item)[]
  ? readonly ReadonlyDeep<Item>[]
  : Value extends object
    ? { readonly [Key in keyof Value]: ReadonlyDeep<Value[Key]> }
    : Value;

export const json = z.unknown().meta({ description: 'Any JSON value.' }) as z.ZodType as z.ZodType<JsonValue>;
export const jsonObject = z
  .record(z.string(), z.unknown())
  .meta({ description: 'Any JSON object.' }) as z.ZodType as z.ZodType<JsonObject>;

/** A moment in UTC. Hubs write up to seven digits of a second. */
export const time = z.iso
  .datetime()
  .meta({ description: 'ISO 8601 in UTC, up to seven digits of a second.' });
export const nonNegative = z.int().min(0);
/** From 0 to 1. */
export const share = z.number().min(0).max(1);

export const host = z.string().meta({ description: 'A hub: its classic host name, in lower case.' });
export const twinStatus = z.enum(TWIN_STATUSES);
export const policyStatus = z.enum(POLICY_STATUSES);
export const propertyStatus = z.enum(['inSync', 'pending', 'drifted', 'rejected', 'contested']);
export const policyMode = z.enum(['enforce', 'adopt', 'seed', 'observe']);
export const workPriority = z.enum(WORK_PRIORITIES);

/** How many twins have each status. */
export const twinCounts = z.record(twinStatus, nonNegative);

export const errorCodeSchema = z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]);

/** Of the next page: give it as `after`. */
export const next = z
  .string()
  .nullable()
  .meta({ description: 'Give it as `after` to get the next page; null: there is none.' });

/** What every function answers where it refuses or fails. */
export const errorAnswerSchema = z.strictObject({
  error: z.strictObject({
    code: errorCodeSchema,
    message: z.string().meta({ description: 'One sentence with the offending value and what to do.' }),
    details: z.array(z.strictObject({ path: z.string(), message: z.string() })),
  }),
});
export type ErrorAnswer = Answer<typeof errorAnswerSchema>;
