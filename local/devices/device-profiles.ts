/** What one simulated device is and how it behaves. */
export interface DeviceProfile {
  readonly deviceId: string;
  readonly site: string;
  /** ISO 3166 code. Data residency rules use it. */
  readonly country: string;
  readonly model: string;
  /** How the device registers with DPS. Every device uses MQTT with its hub. */
  readonly registersOver: 'mqtt' | 'https';
  readonly proof: 'key' | 'certificate';
  /** `low`: the battery runs low, so Berth sets a longer interval. */
  readonly battery: 'full' | 'low';
  /** Whether the device rejects long intervals. */
  readonly rejectsLongIntervals: boolean;
}

const SITES = [
  { site: 'amsterdam', country: 'NL' },
  { site: 'new-york', country: 'US' },
  { site: 'singapore', country: 'SG' },
] as const;
const MODELS = ['pump-2', 'meter-1'] as const;

/**
 * The profiles of the simulated devices. Every third device has a low battery. The second device also has one, but
 * rejects the longer interval. Every fourth device registers over HTTPS. Every tenth device uses a certificate.
 */
export function deviceProfiles(devices: number): readonly DeviceProfile[] {
  return Array.from({ length: devices }, (_, index) => ({
    deviceId: `sim-${String(index + 1).padStart(4, '0')}`,
    ...(SITES[index % SITES.length] ?? SITES[0]),
    model: MODELS[index % MODELS.length] ?? MODELS[0],
    registersOver: index % 4 === 3 ? 'https' : 'mqtt',
    proof: index % 10 === 5 ? 'certificate' : 'key',
    battery: index % 3 === 0 || index === REJECTING ? 'low' : 'full',
    rejectsLongIntervals: index === REJECTING,
  }));
}

const REJECTING = 1;
