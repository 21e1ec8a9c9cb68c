import type { Receipt } from '../allocation/receipt/receipt.ts';
import { type KeptOutDevices, NONE_KEPT_OUT } from '../store/state/kept-out-devices.ts';
import type { EpochMs } from '../time/epoch-ms.ts';

export interface KeptOutCacheOptions {
  /** @throws BerthError `BERTH_STORE_UNAVAILABLE` */
  readonly read: () => Promise<KeptOutDevices>;
  readonly now: () => EpochMs;
}

/** How long a list is used. The command that keeps a device out waits for longer than this before it deletes. */
const FRESH_MS = 20_000;

/** The devices that nothing may be stored about, as this instance has read them last. */
export class KeptOutCache {
  readonly #options: KeptOutCacheOptions;
  #last: { readonly has: KeptOutDevices; readonly at: EpochMs } | undefined;
  #reading: Promise<void> | undefined;

  constructor(options: KeptOutCacheOptions) {
    this.#options = options;
  }

  /** Whether a device is kept out, by the last list. Without a list: no. */
  readonly has: KeptOutDevices = (deviceId) => (this.#last?.has ?? NONE_KEPT_OUT)(deviceId);

  /** Whether a receipt is about a kept-out device, by any of the ids in it. */
  hasReceipt({ inputs }: Receipt): boolean {
    const { registrationId, deviceId, currentDeviceId } = inputs;
    return [registrationId, deviceId, currentDeviceId].some((id) => id !== undefined && this.has(id));
  }

  /**
   * Reads the list, unless it is fresh. Call it before something is stored.
   *
   * @throws BerthError `BERTH_STORE_UNAVAILABLE`
   */
  async load(): Promise<void> {
    if (this.#last !== undefined && this.#options.now() - this.#last.at < FRESH_MS) return;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    await this.#reading;
  }

  /** Like `load`, also for a fresh list. Never throws: a list that cannot be read stays as it was. */
  async refresh(): Promise<void> {
    await this.#read().catch(() => {});
  }

  async #read(): Promise<void> {
    const at = this.#options.now();
    this.#last = { has: await this.#options.read(), at };
  }
}
