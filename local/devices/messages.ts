import type { DeviceProfile } from './device-profiles.ts';

/** How a device proves who it is, to DPS and to its hub. */
export type DeviceProof =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'certificate'; readonly certificate: string; readonly key: string };

/** The message that starts the devices in their process. */
export interface StartDevices {
  readonly type: 'start';
  readonly devices: readonly { readonly profile: DeviceProfile; readonly proof: DeviceProof }[];
  readonly idScope: string;
  /** PEM of the root that issued the certificates of the local servers. */
  readonly ca: string;
  readonly httpsPort: number;
  readonly mqttPort: number;
  /** The control API, which knows the faults of Edge devices. */
  readonly controlUrl: string;
  /** File that stores the batteries. */
  readonly batteries: string;
  /** True: batteries change all the time, and devices register again; false: each device reports twice. */
  readonly lively: boolean;
}

/** A message of the devices' process about one device. */
export type DeviceNews =
  | { readonly type: 'registered'; readonly deviceId: string; readonly hub: string }
  | { readonly type: 'connected'; readonly deviceId: string }
  | { readonly type: 'reported'; readonly deviceId: string; readonly battery: number }
  | { readonly type: 'applied'; readonly deviceId: string; readonly value: number; readonly version: number }
  | { readonly type: 'rejected'; readonly deviceId: string; readonly value: number; readonly version: number }
  /** DPS refused the registration. The message has the code of DPS. */
  | { readonly type: 'refused'; readonly deviceId: string; readonly message: string }
  | { readonly type: 'trouble'; readonly deviceId: string; readonly message: string };
