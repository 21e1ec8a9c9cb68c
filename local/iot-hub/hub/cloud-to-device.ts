import * as z from 'zod';

/*
 * The options of a hub for cloud-to-device messages, in the form of Azure Resource Manager (Microsoft.Devices/IotHubs,
 * `properties.cloudToDevice`). Ranges and defaults: iot-hub-devguide-messages-c2d.md, "Cloud-to-device configuration options".
 */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;
const ISO_8601 = /^P(?=\d|T\d)(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;

/** The milliseconds of an ISO 8601 duration of days to seconds; undefined for another text. @example 'PT1M30S' → 90000 */
function millisecondsIn(text: string): number | undefined {
  const parts = ISO_8601.exec(text)?.slice(1);
  if (parts === undefined) return undefined;
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = parts.map((part) => Number(part ?? 0));
  return days * DAY + (hours * 60 + minutes) * MINUTE + seconds * SECOND;
}

/** A duration as ISO 8601, read as milliseconds. */
function duration(least: number, most: number, rule: string) {
  return z
    .string()
    .refine((text) => {
      const milliseconds = millisecondsIn(text);
      return milliseconds !== undefined && milliseconds >= least && milliseconds <= most;
    }, rule)
    .transform((text) => millisecondsIn(text) ?? 0);
}

const TIME_TO_LIVE = duration(MINUTE, 2 * DAY, 'write an ISO 8601 duration from PT1M to P2D, such as PT1H');
const LOCK = duration(5 * SECOND, 300 * SECOND, 'write an ISO 8601 duration from PT5S to PT5M, such as PT1M');
const DELIVERIES = z.int().min(1).max(100);

const FEEDBACK = z
  .strictObject({
    lockDurationAsIso8601: LOCK.prefault('PT1M'),
    ttlAsIso8601: TIME_TO_LIVE.prefault('PT1H'),
    maxDeliveryCount: DELIVERIES.default(10),
  })
  .transform(({ lockDurationAsIso8601, ttlAsIso8601, maxDeliveryCount }) => ({
    /** How long a receiver may hold a message, in milliseconds. */
    lockMs: lockDurationAsIso8601,
    timeToLiveMs: ttlAsIso8601,
    maxDeliveryCount,
  }));

/** Reads the options of a hub from `properties.cloudToDevice` of Azure Resource Manager. */
export const CLOUD_TO_DEVICE = z
  .strictObject({
    maxDeliveryCount: DELIVERIES.default(10),
    defaultTtlAsIso8601: TIME_TO_LIVE.prefault('PT1H'),
    feedback: FEEDBACK.prefault({}),
  })
  .transform(({ maxDeliveryCount, defaultTtlAsIso8601, feedback }) => ({
    maxDeliveryCount,
    /** Of a message without an expiry of its own, in milliseconds. */
    timeToLiveMs: defaultTtlAsIso8601,
    feedback,
  }));

/** How a hub treats cloud-to-device messages and their feedback. */
export type CloudToDeviceOptions = z.output<typeof CLOUD_TO_DEVICE>;

/** The options of a new hub. */
export const NEW_CLOUD_TO_DEVICE: CloudToDeviceOptions = CLOUD_TO_DEVICE.parse({});
