import type * as z from 'zod';
import { allocationAnswerSchema, allocationRequestSchema } from './allocation.ts';
import { attentionPageSchema } from './attention.ts';
import { deviceHistorySchema, deviceStatusSchema } from './device.ts';
import { fleetStatusSchema } from './fleet.ts';
import { healthDetailSchema, healthSchema } from './health.ts';
import { deadLetterListSchema, deadLetterSchema, devicePageSchema, queuePageSchema } from './lists.ts';
import {
  attentionQuery,
  deadLettersQuery,
  deviceQuery,
  devicesQuery,
  fleetQuery,
  noQuery,
  queueQuery,
  seriesQuery,
} from './queries.ts';
import { receiptSchema } from './receipt.ts';
import { seriesSchema } from './series.ts';
import { errorAnswerSchema } from './values.ts';

/** One HTTP function, as its clients see it. */
export interface ApiRoute {
  readonly method: 'GET' | 'POST';
  /** Behind `/api/`, as the trigger has it. */
  readonly route: string;
  /** The name of the function, which is also the name of its key. */
  readonly name: string;
  readonly summary: string;
  /** `function`: needs a key, in the header `x-functions-key`. */
  readonly auth: 'function' | 'anonymous';
  readonly query: z.ZodObject;
  readonly body?: z.ZodType;
  /** By status: the schema of the JSON answer; null: no JSON (a file, or no body). */
  readonly answers: Readonly<Record<number, z.ZodType | null>>;
  /** It answers 304 to `If-None-Match` where its answer has not changed. */
  readonly hasETag: boolean;
}

const GET = { method: 'GET', auth: 'function', query: noQuery, hasETag: true } as const;
const REFUSED = { 400: errorAnswerSchema, 503: errorAnswerSchema } as const;
const UNKNOWN = { ...REFUSED, 404: errorAnswerSchema } as const;

/** Every HTTP function. A test keeps the list, the functions and the document (`schemas/openapi.json`) equal. */
export const ROUTES: readonly ApiRoute[] = [
  {
    method: 'POST',
    route: 'allocate',
    name: 'allocateDevice',
    summary: 'The custom-allocation webhook of DPS: gives a device its hub and its initial twin.',
    auth: 'function',
    query: noQuery,
    body: allocationRequestSchema,
    answers: { 200: allocationAnswerSchema, ...REFUSED },
    hasETag: false,
  },
  {
    method: 'POST',
    route: 'explain',
    name: 'explainAllocation',
    summary: 'The receipt of the decision that `allocate` would make on the same request. Stores nothing.',
    auth: 'function',
    query: noQuery,
    body: allocationRequestSchema,
    answers: { 200: receiptSchema, ...REFUSED },
    hasETag: false,
  },
  {
    ...GET,
    route: 'fleet',
    name: 'fleetStatus',
    summary:
      'The fleet at a glance: hubs and their shares, policies, twins by status, and who needs a person.',
    query: fleetQuery,
    answers: { 200: fleetStatusSchema, ...REFUSED },
  },
  {
    ...GET,
    route: 'attention',
    name: 'attention',
    summary: 'The twins that need a person, page by page.',
    query: attentionQuery,
    answers: { 200: attentionPageSchema, ...REFUSED },
  },
  {
    ...GET,
    route: 'queue',
    name: 'queue',
    summary: 'The work queue, the most urgent first, page by page.',
    query: queueQuery,
    answers: { 200: queuePageSchema, ...REFUSED },
  },
  {
    ...GET,
    route: 'devices',
    name: 'devices',
    summary: 'The twins that Berth has stored, page by page.',
    query: devicesQuery,
    answers: { 200: devicePageSchema, ...REFUSED },
  },
  {
    ...GET,
    route: 'devices/{deviceId}',
    name: 'device',
    summary: 'One device: where it is and why, how its twins stand and why, and the last decisions about it.',
    query: deviceQuery,
    answers: { 200: deviceStatusSchema, ...UNKNOWN },
  },
  {
    ...GET,
    route: 'devices/{deviceId}/history',
    name: 'deviceHistory',
    summary: 'What is known of the past of a device: decisions, writes, changes by others. The newest first.',
    query: deviceQuery,
    answers: { 200: deviceHistorySchema, ...UNKNOWN },
  },
  {
    ...GET,
    route: 'dead-letters',
    name: 'deadLetters',
    summary: 'The newest events that could not be read, and how many older ones there are.',
    query: deadLettersQuery,
    answers: { 200: deadLetterListSchema, ...REFUSED },
  },
  {
    ...GET,
    route: 'dead-letters/{day}/{partition}/{number}/{digest}',
    name: 'deadLetter',
    summary: 'One dead letter with what is kept of its contents. The path is its id.',
    answers: { 200: deadLetterSchema, ...UNKNOWN },
  },
  {
    ...GET,
    route: 'series',
    name: 'series',
    summary:
      'Twins by status, events, reads, corrections and lag over time: a day of minutes, 90 days of hours.',
    query: seriesQuery,
    answers: { 200: seriesSchema, ...REFUSED },
  },
  {
    ...GET,
    route: 'health',
    name: 'health',
    summary: 'Whether this instance is ready. Needs no key.',
    auth: 'anonymous',
    answers: { 200: healthSchema, 503: healthSchema },
    hasETag: false,
  },
  {
    ...GET,
    route: 'health/detail',
    name: 'healthDetail',
    summary:
      'Each dependency: state tables, Event Hub, timer, fleet file, packages, and the liveness of each hub.',
    answers: { 200: healthDetailSchema, 503: healthDetailSchema },
    hasETag: false,
  },
  {
    ...GET,
    route: 'openapi.json',
    name: 'openApi',
    summary: 'This document.',
    auth: 'anonymous',
    answers: { 200: null, 404: errorAnswerSchema },
  },
  {
    ...GET,
    route: 'console/{*path}',
    name: 'console',
    summary: 'The files of the console, a page for the browser. They hold no data.',
    auth: 'anonymous',
    answers: { 200: null, 404: errorAnswerSchema },
  },
];
