import type { DeviceProfile } from './devices/device-profiles.ts';
import type { DeviceNews } from './devices/messages.ts';

/** The progress of one simulated device in this run. */
export interface DeviceProgress {
  readonly profile: DeviceProfile;
  hub: string | undefined;
  isConnected: boolean;
  reports: number;
  battery: number | undefined;
  /** The answer of the device to the newest desired interval. */
  answer: { readonly kind: 'applied' | 'rejected'; readonly value: number } | undefined;
  trouble: string | undefined;
}

/** The progress of all simulated devices, from their messages. */
export class FleetProgress {
  readonly devices: ReadonlyMap<string, DeviceProgress>;
  #onNews: (news: DeviceNews, device: DeviceProgress) => void = () => {};

  constructor(profiles: readonly DeviceProfile[]) {
    this.devices = new Map(
      profiles.map((profile) => [
        profile.deviceId,
        {
          profile,
          hub: undefined,
          isConnected: false,
          reports: 0,
          battery: undefined,
          answer: undefined,
          trouble: undefined,
        },
      ]),
    );
  }

  /** Calls `listener` after each message of a device has been applied. */
  onNews(listener: (news: DeviceNews, device: DeviceProgress) => void): void {
    this.#onNews = listener;
  }

  take(news: DeviceNews): void {
    const device = this.devices.get(news.deviceId);
    if (device === undefined) return;
    switch (news.type) {
      case 'registered':
        device.hub = news.hub;
        device.trouble = undefined;
        break;
      case 'connected':
        device.isConnected = true;
        device.trouble = undefined;
        break;
      case 'reported':
        device.reports += 1;
        device.battery = news.battery;
        break;
      case 'applied':
      case 'rejected':
        device.answer = { kind: news.type, value: news.value };
        break;
      case 'refused':
      case 'trouble':
        device.isConnected = false;
        device.trouble = news.message;
        break;
    }
    this.#onNews(news, device);
  }

  count(which: (device: DeviceProgress) => boolean): number {
    return [...this.devices.values()].filter(which).length;
  }
}
