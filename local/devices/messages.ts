import type { DeviceProfile } from './device-profiles.ts';

/** How a device proves who it is, to DPS and to its hub. */
export type DeviceProof =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'certificate'; readonly certificate: string; readonly key: string };

/** What the devices' process is told at its start. */
export interface StartDevices {
  readonly type: 'start';
  readonly devices: readonly { readonly profile: DeviceProfile; readonly proof: DeviceProof }[];
  readonly idScope: string;
  /** PEM of the root that the local servers' certificates come from. */
  readonly ca: string;
  readonly httpsPort: number;
  readonly mqttPort: number;
  /** Where batteries are remembered. */
  readonly batteries: string;
  /** True: batteries go up and down for ever; false: each device plays its part once. */
  readonly lively: boolean;
}

/** What the devices' process tells. */
export type DeviceNews =
  | { readonly type: 'registered'; readonly deviceId: string; readonly hub: string }
  | { readonly type: 'connected'; readonly deviceId: string }
  | { readonly type: 'reported'; readonly deviceId: string; readonly battery: number }
  | { readonly type: 'applied'; readonly deviceId: string; readonly value: number; readonly version: number }
  | { readonly type: 'rejected'; readonly deviceId: string; readonly value: number; readonly version: number }
  | { readonly type: 'trouble'; readonly deviceId: string; readonly message: string };
