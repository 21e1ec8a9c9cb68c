import * as z from 'zod';
import { HUB_STATES } from '../fleet/hub-state.ts';
import { type Answer, errorCodeSchema, host, json, nonNegative, share, time } from './values.ts';

const number = z.number();

function override<Value extends z.ZodType>(value: Value) {
  return z.strictObject({
    value,
    author: z.string(),
    reason: z.string(),
    expiresAt: number.meta({ description: 'Milliseconds since the epoch.' }),
  });
}

const result = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('assigned'),
    hub: z.string().meta({ description: 'Exactly as it stood in linkedHubs.' }),
    host,
    how: z.enum(['placed', 'stayed', 'moved', 'never reprovisioned']),
    why: z.string(),
  }),
  z.strictObject({ kind: z.literal('refused'), code: errorCodeSchema, message: z.string() }),
]);

const notKept = z.discriminatedUnion('why', [
  z.strictObject({ why: z.literal('redacted') }),
  z.strictObject({
    why: z.literal('too long'),
    of: z.enum(['text', 'json']),
    bytes: nonNegative,
    sha256: z.string(),
  }),
  z.strictObject({ why: z.literal('whole'), keys: z.array(z.string()) }),
]);

const inputs = z.strictObject({
  registrationId: z.string(),
  linkedHubs: z.array(z.string()),
  currentHub: z.string().optional(),
  currentDeviceId: z.string().optional(),
  deviceId: z.string().optional(),
  enrollment: z.strictObject({
    kind: z.enum(['individual', 'group', 'unknown']),
    id: z.string().optional(),
    iotEdge: z.boolean(),
    reprovisionPolicy: z.enum(['migrate', 'reset', 'never', 'unset']),
    iotHubs: z.array(z.string()),
    initialTwin: z.enum(['none', 'empty', 'filled']),
  }),
  attestation: z.enum(['symmetricKey', 'x509', 'tpm', 'none', 'unknown']),
  latency: z
    .strictObject({
      latency: z.record(z.string(), number.nullable()).nullable().optional(),
      region: z.string().nullable().optional(),
      location: z.strictObject({ lat: number, lon: number }).nullable().optional(),
    })
    .optional(),
  parent: z
    .strictObject({ deviceId: z.string(), hub: host.optional(), why: z.string().optional() })
    .optional()
    .meta({ description: 'The parent that a rule named, and its hub or why it was not known.' }),
  read: z.record(z.string(), json),
  notKept: z.record(z.string(), notKept),
  missing: z
    .array(z.string())
    .optional()
    .meta({ description: 'Paths that expressions read and that were not there.' }),
});

const hub = z.strictObject({
  host,
  latencyMs: number.optional(),
  latencyFrom: z.enum(['measured', 'regions', 'distance']).optional(),
  weight: number.optional().meta({ description: 'For this device.' }),
  score: number
    .optional()
    .meta({ description: 'The smallest wins; absent: the hub may not receive the device.' }),
  load: z.literal('above its share').optional(),
  excluded: z
    .enum([
      'not in the fleet file',
      'not selected by the enrollment',
      'does not meet a require rule',
      'not the hub of the hub rule',
      'not the hub of the parent',
      'the hub of the parent is not known',
      'cordoned',
      'draining',
      'full',
      'unhealthy',
    ])
    .optional(),
  devices: number.optional(),
  countAgeMs: number.optional(),
  failures: number.optional(),
  overrides: z
    .strictObject({
      state: override(z.enum(HUB_STATES)).optional(),
      weight: override(number).optional(),
    })
    .optional(),
});

/** One decision of allocation and everything that it read. Holds no keys and no twin values. */
export const receiptSchema = z.strictObject({
  at: time,
  revision: z.string().meta({ description: 'The fleet file that decided.' }),
  result,
  inputs,
  conditions: z.strictObject({ ageMs: number.optional(), causes: z.record(z.string(), number) }),
  hubs: z
    .array(hub)
    .meta({ description: 'The best score first; hubs that may not receive the device last.' }),
  rules: z.array(
    z.strictObject({
      name: z.string(),
      result: z.enum(['matched', 'unmatched', 'unknown']),
      applied: z.boolean(),
      why: z.string().optional(),
    }),
  ),
  notes: z.array(z.string()),
  gradualMoves: z.array(z.strictObject({ cause: z.string(), position: share, progress: share })),
  twin: z.strictObject({
    sent: z.boolean(),
    why: z.string(),
    layers: z.array(z.strictObject({ name: z.string(), applied: z.boolean(), why: z.string().optional() })),
    provenance: z.record(z.string(), z.string()).meta({ description: 'The layer that set each path.' }),
    morePaths: nonNegative.optional(),
    omitted: z.array(z.string()),
  }),
  payloadOmitted: z.array(z.string()),
});
export type ReceiptAnswer = Answer<typeof receiptSchema>;
