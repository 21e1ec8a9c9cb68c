import * as z from 'zod';
import { isObject } from '../../../src/json/json.ts';
import type { Line } from '../model/entry.ts';

const object = z.custom<object>(isObject);

const section = z.looseObject({ values: object, metadata: object, version: z.int().min(1) });

const authentication = z.union([
  z.looseObject({
    type: z.literal('sas'),
    symmetricKey: z.looseObject({ primaryKey: z.string(), secondaryKey: z.string() }),
  }),
  z.looseObject({
    type: z.literal('selfSigned'),
    x509Thumbprint: z.looseObject({
      primaryThumbprint: z.string(),
      secondaryThumbprint: z.string().nullable(),
    }),
  }),
  z.looseObject({ type: z.literal('certificateAuthority') }),
  z.looseObject({ type: z.literal('none') }),
]);

const entry = z.looseObject({
  identity: z.looseObject({
    deviceId: z.string().min(1),
    moduleId: z.string().min(1).optional(),
    generationId: z.string(),
    etag: z.string(),
    status: z.enum(['enabled', 'disabled']),
    statusReason: z.string().nullable(),
    statusUpdatedTime: z.string(),
    authentication,
    capabilities: z.looseObject({ iotEdge: z.boolean() }),
    deviceScope: z.string().optional(),
    parentScopes: z.array(z.string()).optional(),
  }),
  twin: z.looseObject({ tags: object, desired: section, reported: section, writes: z.int().min(1) }),
  modelId: z.string().optional(),
  subscriptions: z.array(z.string()).optional(),
  atMostOnce: z.array(z.string()).optional(),
  packetIds: z.record(z.string(), z.int()).optional(),
  configurations: z
    .record(
      z.string(),
      z.looseObject({ status: z.enum(['Applied', 'Targeted']), paths: z.array(z.string()) }),
    )
    .optional(),
  lastMessage: z.int().optional(),
  inbox: z
    .array(
      z.looseObject({
        id: z.string(),
        body: z.string(),
        system: z.record(z.string(), z.string()),
        properties: z.record(z.string(), z.string().nullable()),
        expires: z.number(),
        deliveryCount: z.int(),
        sequenceNumber: z.int().optional(),
        enqueuedAt: z.number().optional(),
      }),
    )
    .optional(),
});

const PUT = z.looseObject({ put: entry });
const REMOVE = z.looseObject({ remove: z.string().min(1) });

/**
 * Checks a line of a hub's journal and returns it unchanged.
 *
 * @throws ZodError if Berth cannot have written it.
 */
export function readStoredLine(line: unknown): Line {
  // Only one schema is used, so that the error contains the path.
  const schema = isObject(line) && 'remove' in line ? REMOVE : PUT;
  schema.parse(line);
  return line as Line;
}
