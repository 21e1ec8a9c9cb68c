import * as z from 'zod';
import { CLOUD_TO_DEVICE, HUB_ROUTING, NEW_HUB_ROUTING } from '../iot-hub/index.ts';
import { NEW_BUILT_IN_ENDPOINT, USUAL_PARTITIONS } from './local-plan.ts';

/** Partitions of a hub (iot-hub-scaling.md) and of an Event Hub of the standard tier (event-hubs-quotas). */
const PARTITIONS = z.int().min(1).max(32);
const HUB_HOST = /^[a-z0-9](?:[a-z0-9-]{1,48}[a-z0-9])\.azure-devices\.(?:net|cn|us)$/i;
const DPS_HOST = /^[a-z0-9-]{3,64}\.azure-devices-provisioning\.(?:net|cn|us)$/i;
const EVENT_HUB_NAME = /^[a-z0-9](?:[a-z0-9._-]{0,254}[a-z0-9])?$/i;
const GROUP_ID = /^[a-z0-9\-._:]{0,127}[a-z0-9-]$/i;
const KEY = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const PORT = z.int().min(0).max(65_535);
const CONSUMER_GROUPS = z.array(
  z.string().regex(/^[a-z0-9](?:[a-z0-9._-]{0,48}[a-z0-9])?$/i, 'write up to 50 letters, digits and . _ -'),
);
const HOST = z
  .string()
  .regex(HUB_HOST, 'write a classic host name of a hub, such as my-hub.azure-devices.net')
  .transform((host) => host.toLowerCase());

const HUB = z.strictObject({
  host: HOST,
  tier: z.enum(['F1', 'S1', 'S2', 'S3']).default('S1'),
  units: z.int().min(1).max(200).default(1),
  builtInEndpoint: z
    .strictObject({
      partitionCount: PARTITIONS.default(USUAL_PARTITIONS),
      consumerGroups: CONSUMER_GROUPS.default([]),
    })
    .default({ ...NEW_BUILT_IN_ENDPOINT, consumerGroups: [] }),
  routing: HUB_ROUTING.default(NEW_HUB_ROUTING),
  cloudToDevice: CLOUD_TO_DEVICE.prefault({}),
});

const GROUP = z
  .strictObject({
    id: z.string().regex(GROUP_ID, 'write up to 128 letters, digits and - . _ :'),
    /** Base64. The keys of devices are derived from it. */
    primaryKey: z
      .string()
      .regex(KEY, 'write base64')
      .refine((key) => {
        const { length } = Buffer.from(key, 'base64');
        return length >= 16 && length <= 64;
      }, 'write base64 of 16 to 64 bytes'),
    iotEdge: z.boolean().default(false),
    allocationPolicy: z.enum(['hashed', 'geoLatency', 'static', 'custom']).default('hashed'),
    iotHubs: z.array(HOST).min(1).optional(),
    /** For the policy `custom`: the URL that DPS calls. */
    webhookUrl: z.url('write a URL').optional(),
  })
  .refine(
    ({ allocationPolicy, webhookUrl }) => (allocationPolicy === 'custom') === (webhookUrl !== undefined),
    {
      path: ['webhookUrl'],
      message: 'is for the allocation policy custom, which needs it: add one or remove the other',
    },
  );

/** The file `local.json`. */
export const LOCAL_FILE = z.strictObject({
  $schema: z.string().optional(),
  hubs: z.array(HUB).min(1).max(50),
  eventHubs: z
    .array(
      z.strictObject({
        name: z.string().regex(EVENT_HUB_NAME, 'write up to 256 letters, digits and . _ -'),
        partitionCount: PARTITIONS.default(USUAL_PARTITIONS),
        consumerGroups: CONSUMER_GROUPS.default([]),
      }),
    )
    .default([]),
  dps: z
    .strictObject({
      idScope: z
        .string()
        .regex(/^0ne[0-9A-Za-z]{8}$/, 'write 0ne and eight letters or digits')
        .optional(),
      host: z
        .string()
        .regex(DPS_HOST, 'write a name such as my-dps.azure-devices-provisioning.net')
        .optional(),
      /** Default: all hubs. */
      linkedHubs: z.array(HOST).optional(),
      enrollmentGroups: z.array(GROUP).default([]),
    })
    .default({ enrollmentGroups: [] }),
  ports: z
    .strictObject({
      control: PORT,
      rest: PORT,
      https: PORT,
      mqtt: PORT,
      amqp: PORT,
      amqps: PORT,
      blob: PORT,
      queue: PORT,
      table: PORT,
    })
    .partial()
    .default({}),
});

export type LocalFile = z.output<typeof LOCAL_FILE>;

/** The JSON schema of `local.json` for editors, as `schemas/local.schema.json` holds it. */
export function localFileJsonSchema(): object {
  return {
    title: 'Configuration of the local Azure IoT',
    ...z.toJSONSchema(LOCAL_FILE, { io: 'input', target: 'draft-7' }),
  };
}
