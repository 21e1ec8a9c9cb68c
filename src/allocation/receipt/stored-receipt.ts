import * as z from 'zod';
import { HUB_STATES } from '../../fleet/hub-state.ts';
import { isHostName, NOT_A_HOST_NAME } from '../../iot-hub/host-name.ts';
import { isObject } from '../../json/json.ts';
import { MAX_REQUEST_BYTES } from '../request/request-body.ts';
import type { Receipt, ReceiptInputs } from './receipt.ts';

// The fields that recomputing needs of a receipt from outside: a file, a table or a log.

const json = z.json();
/** Replaces a text that is not a host name, because it may be a secret that was stored by mistake. */
const host = z.string().transform((text) => (isHostName(text) ? text : NOT_A_HOST_NAME));
const figure = z.number().nullable();

const notKept = z.discriminatedUnion('why', [
  z.object({ why: z.literal('redacted') }),
  z.object({
    why: z.literal('too long'),
    of: z.enum(['text', 'json']),
    bytes: z.int().min(0).max(MAX_REQUEST_BYTES),
    sha256: z.string(),
  }),
  z.object({ why: z.literal('whole'), keys: z.array(z.string()) }),
]);

const inputs = z.object({
  registrationId: z.string().min(1),
  linkedHubs: z.array(host),
  currentHub: host.optional(),
  currentDeviceId: z.string().optional(),
  deviceId: z.string().optional(),
  enrollment: z.object({
    kind: z.enum(['individual', 'group', 'unknown']),
    id: z.string().optional(),
    iotEdge: z.boolean(),
    reprovisionPolicy: z.enum(['migrate', 'reset', 'never', 'unset']),
    iotHubs: z.array(host),
    initialTwin: z.enum(['none', 'empty', 'filled']),
  }),
  attestation: z.enum(['symmetricKey', 'x509', 'tpm', 'none', 'unknown']),
  latency: z
    .object({
      latency: z.record(z.string(), figure).nullable().optional(),
      region: z.string().nullable().optional(),
      location: z.object({ lat: z.number(), lon: z.number() }).nullable().optional(),
    })
    .optional(),
  parent: z.object({ deviceId: z.string(), hub: host.optional(), why: z.string().optional() }).optional(),
  read: z.record(z.string(), json),
  notKept: z.record(z.string(), notKept),
  missing: z.array(z.string()).optional(),
});

function override<Value extends z.ZodType>(value: Value) {
  return z.object({ value, author: z.string(), reason: z.string(), expiresAt: z.number() });
}

const hub = z.looseObject({
  host,
  devices: z.number().optional(),
  countAgeMs: z.number().optional(),
  failures: z.number().optional(),
  overrides: z
    .object({
      state: override(z.enum(HUB_STATES)).optional(),
      weight: override(z.number()).optional(),
    })
    .optional(),
});

const receipt = z.looseObject({
  at: z.iso.datetime(),
  revision: z.string(),
  result: z.looseObject({ kind: z.string() }),
  inputs,
  conditions: z.object({ ageMs: z.number().optional(), causes: z.record(z.string(), z.number()) }),
  hubs: z.array(hub),
  rules: z.array(z.unknown()),
  notes: z.array(z.string()),
  gradualMoves: z.array(z.unknown()),
  twin: z.looseObject({
    sent: z.boolean(),
    provenance: z.record(z.string(), z.string()),
    omitted: z.array(z.string()),
  }),
  payloadOmitted: z.array(z.string()),
});

/** Whether JSON looks like a receipt and not like a request of DPS. */
export function looksLikeReceipt(value: unknown): boolean {
  return isObject(value) && 'result' in value && 'inputs' in value;
}

/** Reads a receipt from JSON; undefined if it is not a valid receipt. */
export function readReceipt(value: unknown): Receipt | undefined {
  const parsed = receipt.safeParse(value);
  return parsed.success ? (parsed.data as unknown as Receipt) : undefined;
}

/** Reads the inputs of a receipt from JSON; undefined if they are not valid. */
export function readReceiptInputs(value: unknown): ReceiptInputs | undefined {
  const parsed = inputs.safeParse(value);
  return parsed.success ? (parsed.data as unknown as ReceiptInputs) : undefined;
}
