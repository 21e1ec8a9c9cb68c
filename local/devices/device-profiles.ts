/** What one simulated device is and how it behaves. */
export interface DeviceProfile {
  readonly deviceId: string;
  readonly site: string;
  /** ISO 3166 code. Data residency rules use it. */
  readonly country: string;
  readonly model: string;
  /** What the device tells about its distance to the hubs. */
  readonly nearness: Nearness;
  /** How the device registers with DPS. Every device uses MQTT with its hub. */
  readonly registersOver: 'mqtt' | 'https';
  readonly proof: 'key' | 'certificate';
  /** `low`: the battery runs low, so Berth sets a longer interval. */
  readonly battery: 'full' | 'low';
  /** Whether the device rejects long intervals. */
  readonly rejectsLongIntervals: boolean;
  /**
   * When a device of a running fleet registers again. `whenAsked`: only if its twin names its own hub in the property
   * `berth.leaveHub`. Most real firmware does not register again by itself. `sometimes`: after a while too.
   */
  readonly registersAgain: 'sometimes' | 'whenAsked';
  /** Whether it is an IoT Edge device: the simulated runtime runs beside it. */
  readonly isEdge?: boolean;
}

/** The nearest Azure region, or round trips that the device has measured, in milliseconds by region. */
export type Nearness = { readonly region: string } | { readonly latency: Readonly<Record<string, number>> };

interface Site extends Pick<DeviceProfile, 'country' | 'nearness'> {
  readonly site: string;
}

const AMSTERDAM: Site = { site: 'amsterdam', country: 'NL', nearness: { region: 'westeurope' } };
const FRANKFURT: Site = { site: 'frankfurt', country: 'DE', nearness: { region: 'germanywestcentral' } };
const PARIS: Site = { site: 'paris', country: 'FR', nearness: { region: 'francecentral' } };
/** Its cable goes to Ireland, so it is nearer to North Europe than to West Europe. */
const BREST: Site = {
  site: 'brest',
  country: 'FR',
  nearness: { latency: { northeurope: 12, westeurope: 22, eastus: 82, southeastasia: 165 } },
};
const NEW_YORK: Site = { site: 'new-york', country: 'US', nearness: { region: 'eastus' } };
const CHICAGO: Site = { site: 'chicago', country: 'US', nearness: { region: 'northcentralus' } };
const SINGAPORE: Site = {
  site: 'singapore',
  country: 'SG',
  nearness: { latency: { southeastasia: 5, westeurope: 160, northeurope: 166, eastus: 223 } },
};

/**
 * The sites of the devices, again from the start after the last one. The numbers of devices at the sites are chosen so that
 * the expected shares of the hubs are near the weights of the project's `fleet.json`. The order is chosen so that the actual
 * shares are near the expected ones, for any number of devices. A test checks both.
 */
const SITES: readonly Site[] = [
  ...[FRANKFURT, NEW_YORK, SINGAPORE, PARIS, BREST],
  ...[SINGAPORE, SINGAPORE, BREST, NEW_YORK, CHICAGO],
  ...[FRANKFURT, AMSTERDAM, NEW_YORK, CHICAGO, BREST],
  ...[CHICAGO, AMSTERDAM, BREST, NEW_YORK, CHICAGO],
];
const MODELS = ['pump-2', 'meter-1'] as const;

/**
 * The profiles of the simulated devices. Every third device has a low battery. The second device also has one, but
 * rejects the longer interval. Every fourth device registers over HTTPS. Every tenth device uses a certificate. Every other
 * device registers again only when it is asked.
 */
export function deviceProfiles(devices: number): readonly DeviceProfile[] {
  return Array.from({ length: devices }, (_, index) => ({
    deviceId: `sim-${String(index + 1).padStart(4, '0')}`,
    ...(SITES[index % SITES.length] ?? AMSTERDAM),
    model: MODELS[index % MODELS.length] ?? MODELS[0],
    registersOver: index % 4 === 3 ? 'https' : 'mqtt',
    proof: index % 10 === 5 ? 'certificate' : 'key',
    battery: index % 3 === 0 || index === REJECTING ? 'low' : 'full',
    rejectsLongIntervals: index === REJECTING,
    registersAgain: index % 2 === 1 ? 'whenAsked' : 'sometimes',
  }));
}

/** The profiles of the simulated Edge devices. They behave as other devices, and the runtime of IoT Edge runs on them. */
export function edgeProfiles(devices: number): readonly DeviceProfile[] {
  return Array.from({ length: devices }, (_, index) => ({
    deviceId: `edge-${String(index + 1).padStart(4, '0')}`,
    ...(index % 2 === 0 ? AMSTERDAM : NEW_YORK),
    model: 'gateway-1',
    registersOver: 'mqtt',
    proof: 'key',
    battery: 'full',
    rejectsLongIntervals: false,
    registersAgain: 'sometimes',
    isEdge: true,
  }));
}

/** The payload that a device sends when it registers with DPS. */
export function registrationPayload({ site, country, model, nearness }: DeviceProfile) {
  return { site, country, model, ...nearness };
}

const REJECTING = 1;
