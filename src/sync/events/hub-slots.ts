import pLimit from 'p-limit';
import type { HostName } from '../../iot-hub/host-name.ts';

/** A place among the twins of a hub that call it at the same time. */
export interface HubSlot {
  /** Waits for the place. A second call returns at once. */
  readonly enter: () => Promise<void>;
  /** Gives the place back, if the twin had one. */
  readonly leave: () => void;
}

/**
 * Limits the twins of each hub that call it at the same time. A twin that calls no hub needs no place, so it is stored together with
 * the others of its batch. A slow hub delays only its own twins.
 */
export class HubSlots {
  readonly #size: number;
  readonly #limits = new Map<HostName, ReturnType<typeof pLimit>>();

  /** @param size twins of one hub */
  constructor(size: number) {
    this.#size = size;
  }

  slot(host: HostName): HubSlot {
    let entered: Promise<void> | undefined;
    let leave = () => {};
    return {
      enter: () => {
        entered ??= new Promise((resolve) => {
          void this.#limitOf(host)(() => {
            resolve();
            return new Promise<void>((done) => {
              leave = done;
            });
          });
        });
        return entered;
      },
      leave: () => leave(),
    };
  }

  #limitOf(host: HostName): ReturnType<typeof pLimit> {
    const limit = this.#limits.get(host) ?? pLimit(this.#size);
    this.#limits.set(host, limit);
    return limit;
  }
}
