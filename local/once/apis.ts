import * as z from 'zod';

const PAUSE = z.object({ author: z.string(), reason: z.string(), at: z.iso.datetime() }).nullable();

/** The parts of `GET /api/fleet` that the check and the live view read. */
export const FLEET_STATUS = z.object({
  pause: PAUSE,
  hubs: z.array(
    z.object({
      host: z.string(),
      state: z.string(),
      weight: z.number(),
      share: z.object({
        wanted: z.number(),
        /** Null: not known yet, or too many devices. */
        expected: z.number().nullable(),
        /** One standard deviation of the actual share. */
        spread: z.number().nullable(),
      }),
      devices: z.number().nullable(),
      twins: z.record(z.string(), z.number()),
      twinsCountedAt: z.iso.datetime().nullable(),
      pause: PAUSE,
      sync: z
        .object({ untrusted: z.object({ since: z.iso.datetime(), why: z.string() }).nullable() })
        .nullable(),
      liveness: z
        .object({ state: z.string(), since: z.iso.datetime().nullable(), why: z.string() })
        .nullable()
        .default(null),
    }),
  ),
  policies: z.array(
    z.object({
      name: z.string(),
      mode: z.string(),
      rollout: z.number(),
      reached: z.number(),
      held: z.number(),
      rejected: z.number(),
      contested: z.number(),
      pause: PAUSE,
    }),
  ),
  twins: z.record(z.string(), z.number()),
  deadLetters: z.object({ since: z.string(), count: z.number(), more: z.boolean() }),
  onlyCounted: z.object({ events: z.number() }),
});
export type LocalFleetStatus = z.output<typeof FLEET_STATUS>;

export const DEVICE_STATUS = z.object({
  twins: z.array(
    z.object({
      hub: z.string(),
      moduleId: z.string().nullable(),
      status: z.string(),
      version: z.number(),
      workItem: z.object({ at: z.iso.datetime(), why: z.string() }).nullable(),
      paths: z.array(
        z.object({
          path: z.string(),
          wanted: z.json(),
          desired: z.json(),
          reported: z.json(),
          status: z.string(),
          writes: z.array(z.object({ value: z.json() })),
        }),
      ),
    }),
  ),
});
export type ShownTwin = z.output<typeof DEVICE_STATUS>['twins'][number];

/** The newest allocation decision about a device, as far as the live view shows it. */
const RECEIPT = z.object({
  at: z.iso.datetime(),
  result: z.union([
    z.object({
      kind: z.literal('assigned'),
      host: z.string(),
      how: z.enum(['placed', 'stayed', 'moved', 'never reprovisioned']),
    }),
    z.object({ kind: z.literal('refused'), message: z.string() }),
  ]),
  /** By score, the best first. */
  hubs: z.array(
    z.object({
      host: z.string(),
      latencyMs: z.number().optional(),
      weight: z.number().optional(),
      excluded: z.string().optional(),
    }),
  ),
  /** The rules that matched or were unknown. */
  rules: z.array(z.object({ name: z.string(), result: z.string(), applied: z.boolean() })),
});
export type ShownReceipt = z.output<typeof RECEIPT>;

export const DEVICE_RECEIPTS = z.object({ receipts: z.array(RECEIPT) });

/** The parts of `GET /hubs` of the control API that the check reads. */
export const HUB_COUNTERS = z.object({
  host: z.string(),
  devices: z.number(),
  twinReads: z.number(),
  twinWrites: z.number(),
  queries: z.number(),
  identityOps: z.number(),
  statisticsReads: z.number(),
});
export const EVENT_COUNTERS = z.object({ events: z.number(), unread: z.number() });
export const HUB_TWIN = z.object({
  version: z.number(),
  properties: z.object({ desired: z.record(z.string(), z.json()), reported: z.record(z.string(), z.json()) }),
});

/** Gets JSON over HTTP and parses it with a schema. @throws Error with the address, if the request fails. */
export async function getJson<Schema extends z.ZodType>(
  url: string,
  schema: Schema,
  headers: Readonly<Record<string, string>> = {},
): Promise<z.output<Schema>> {
  const response = await fetch(url, { headers: { ...headers }, signal: AbortSignal.timeout(10_000) });
  if (!response.ok) throw new Error(`GET ${url} answered ${response.status}`);
  return schema.parse(await response.json());
}
