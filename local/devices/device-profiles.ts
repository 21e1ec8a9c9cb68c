/** What one simulated device is like. */
export interface DeviceProfile {
  readonly deviceId: string;
  readonly site: string;
  /** ISO 3166: what residency goes by. */
  readonly country: string;
  readonly model: string;
  /** How it registers with DPS; all of them talk MQTT to their hub. */
  readonly registersOver: 'mqtt' | 'https';
  readonly proof: 'key' | 'certificate';
  /**
   * `low`: its battery runs low, so that Berth slows it down; `picky`: that too, but it rejects the slower
   * interval.
   */
  readonly battery: 'full' | 'low';
  readonly isPicky: boolean;
}

const SITES = [
  { site: 'amsterdam', country: 'NL' },
  { site: 'new-york', country: 'US' },
  { site: 'singapore', country: 'SG' },
] as const;
const MODELS = ['pump-2', 'meter-1'] as const;

/**
 * Who plays what: every third device has a low battery, the second one as well but rejects what follows from
 * it, every fourth registers over HTTPS, every tenth proves itself with a certificate.
 */
export function deviceProfiles(devices: number): readonly DeviceProfile[] {
  return Array.from({ length: devices }, (_, index) => ({
    deviceId: `sim-${String(index + 1).padStart(4, '0')}`,
    ...(SITES[index % SITES.length] ?? SITES[0]),
    model: MODELS[index % MODELS.length] ?? MODELS[0],
    registersOver: index % 4 === 3 ? 'https' : 'mqtt',
    proof: index % 10 === 5 ? 'certificate' : 'key',
    battery: index % 3 === 0 || index === PICKY ? 'low' : 'full',
    isPicky: index === PICKY,
  }));
}

const PICKY = 1;
