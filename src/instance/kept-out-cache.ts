import type { Receipt } from '../allocation/receipt/receipt.ts';
import type { JsonValue } from '../json/json.ts';
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

  /** Whether a receipt names a kept-out device: by an id of its own device, as its parent, or in a value that an expression read. */
  hasReceipt({ inputs }: Receipt): boolean {
    // Usually no device is kept out, and the webhook asks for each registration.
    if ((this.#last?.has ?? NONE_KEPT_OUT) === NONE_KEPT_OUT) return false;
    const { registrationId, deviceId, currentDeviceId, parent, read } = inputs;
    const own = [registrationId, deviceId, currentDeviceId, parent?.deviceId];
    return own.some((id) => id !== undefined && this.has(id)) || this.#hasText(read);
  }

  #hasText(value: JsonValue): boolean {
    if (typeof value === 'string') return this.has(value);
    return (
      typeof value === 'object' && value !== null && Object.values(value).some((each) => this.#hasText(each))
    );
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
