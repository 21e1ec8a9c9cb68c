/**
 * Throttles and quotas of an IoT hub, by its tier and units. Source: Microsoft, "IoT Hub quotas and throttling"
 * (iot-hub-devguide-quotas-throttling, 2023-02).
 */

/** The tiers that have twins. The basic tiers have none. */
export const TIERS = ['F1', 'S1', 'S2', 'S3'] as const;
export type Tier = (typeof TIERS)[number];

/** Whether a text is a tier that Berth takes. Azure also has basic tiers, which have no device twins. */
export function isTier(text: string): text is Tier {
  return TIERS.some((tier) => tier === text);
}

/** How large a hub is. */
export interface HubSize {
  readonly tier: Tier;
  readonly units: number;
}

const IDENTITY_OPERATIONS_PER_MINUTE: Readonly<Record<Tier, number>> = {
  F1: 100,
  S1: 100,
  S2: 100,
  S3: 5_000,
};

/** Operations of the identity registry in a minute: create, read, change or delete a device. */
export function identityOperationsPerMinute({ tier, units }: HubSize): number {
  return IDENTITY_OPERATIONS_PER_MINUTE[tier] * units;
}

/** Twin updates in a second, of devices and services together. On F1 and S1 the number of units does not matter. */
export function twinUpdatesPerSecond({ tier, units }: HubSize): number {
  switch (tier) {
    case 'F1':
    case 'S1':
      return 50;
    case 'S2':
      return Math.max(50, 5 * units);
    case 'S3':
      return 250 * units;
  }
}

/** Registrations that one DPS accepts in a minute (Microsoft, DPS quotas and limits). */
export const DPS_REGISTRATIONS_PER_MINUTE = 1_000;

/** Hubs that one DPS links (Microsoft, Azure subscription and service limits, DPS). */
export const DPS_LINKED_HUBS = 50;

/** Registrations that one DPS holds (same source). */
export const DPS_REGISTRATIONS = 1_000_000;

/** Units of one hub (Microsoft, Azure subscription and service limits, IoT Hub). */
export const MAX_UNITS: Readonly<Record<Tier, number>> = { F1: 1, S1: 200, S2: 200, S3: 10 };

/** Hubs of the tier F1 in one subscription (same source). */
export const FREE_HUBS_OF_A_SUBSCRIPTION = 1;

/** Twin reads in a second, of devices and services together. On F1 and S1 the number of units does not matter. */
export function twinReadsPerSecond({ tier, units }: HubSize): number {
  switch (tier) {
    case 'F1':
    case 'S1':
      return 100;
    case 'S2':
      return Math.max(100, 10 * units);
    case 'S3':
      return 500 * units;
  }
}

/**
 * Manifests that a service may apply to IoT Edge devices in a minute. No row of the throttle table names the call, so Berth
 * uses the one for configurations.
 */
export function appliesPerMinute({ units }: HubSize): number {
  return 20 * units;
}

const METHOD_KILOBYTES_PER_SECOND: Readonly<Record<Tier, number>> = {
  F1: 160,
  S1: 160,
  S2: 480,
  S3: 24 * 1024,
};
/** The hub counts each direct method with this size at least. */
const METHOD_METER_KILOBYTES = 4;

/** Direct methods with a small payload in a second. */
export function methodsPerSecond({ tier, units }: HubSize): number {
  return (METHOD_KILOBYTES_PER_SECOND[tier] * units) / METHOD_METER_KILOBYTES;
}

/** Query pages in a minute. */
export function queriesPerMinute({ tier, units }: HubSize): number {
  return (tier === 'S3' ? 1_000 : 20) * units;
}

/** Messages in a day for one unit (Azure subscription and service limits, IoT Hub). */
const MESSAGES_PER_DAY: Readonly<Record<Tier, number>> = {
  F1: 8_000,
  S1: 400_000,
  S2: 6_000_000,
  S3: 300_000_000,
};

/** The daily quota. Twin reads, updates and notifications count, as telemetry does. */
export function messagesPerDay({ tier, units }: HubSize): number {
  return MESSAGES_PER_DAY[tier] * units;
}

/** How many bytes count as one message (Azure IoT Hub pricing). */
export function messageBytes(tier: Tier): number {
  return tier === 'F1' ? 512 : 4 * 1024;
}
