import * as z from 'zod';

/** What the check reads of Berth's HTTP functions. */
export const FLEET_STATUS = z.object({
  hubs: z.array(
    z.object({
      host: z.string(),
      state: z.string(),
      weight: z.number(),
      share: z.object({ wanted: z.number() }),
      devices: z.number().nullable(),
      twins: z.record(z.string(), z.number()),
      twinsCountedAt: z.iso.datetime().nullable(),
    }),
  ),
  twins: z.record(z.string(), z.number()),
});
export type FleetStatus = z.output<typeof FLEET_STATUS>;

export const DEVICE_STATUS = z.object({
  twins: z.array(
    z.object({
      hub: z.string(),
      moduleId: z.string().nullable(),
      state: z.string(),
      version: z.number(),
      due: z.object({ at: z.iso.datetime(), why: z.string() }).nullable(),
      paths: z.array(
        z.object({
          path: z.string(),
          wanted: z.json(),
          desired: z.json(),
          reported: z.json(),
          verdict: z.string(),
          writes: z.array(z.object({ value: z.json() })),
        }),
      ),
    }),
  ),
});
export type TwinStatus = z.output<typeof DEVICE_STATUS>['twins'][number];

/** What it reads of the control API. */
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

/** Gets JSON over HTTP and reads it by a schema. @throws Error naming the address where it is not had. */
export async function getJson<Schema extends z.ZodType>(
  url: string,
  schema: Schema,
  headers: Readonly<Record<string, string>> = {},
): Promise<z.output<Schema>> {
  const response = await fetch(url, { headers: { ...headers }, signal: AbortSignal.timeout(10_000) });
  if (!response.ok) throw new Error(`GET ${url} answered ${response.status}`);
  return schema.parse(await response.json());
}
