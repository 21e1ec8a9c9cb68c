import type { KnownParent } from '../allocation/parent/known-parent.ts';
import { parentOfReceipt, parentOfTwins, registeredHub } from '../allocation/receipt/locate-parent.ts';
import { BerthError } from '../errors.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { HostName } from '../iot-hub/host-name.ts';
import type { Stores } from '../store/stores.ts';

export interface ParentsOptions {
  /** Opens the stores. May throw. */
  readonly stores: () => Promise<Pick<Stores, 'receipts' | 'twins'>>;
}

/** DPS waits five seconds for the whole answer (concepts-custom-allocation), and tries again after 503. */
const LONGEST_WAIT_MS = 2_000;

/**
 * Finds the hubs of parents in the state tables: by the newest receipt, else by the stored twins. It asks no hub, so
 * that a registration never waits for one.
 */
export class Parents {
  readonly #options: ParentsOptions;

  constructor(options: ParentsOptions) {
    this.#options = options;
  }

  /** Never throws. If the tables cannot be read in time, the hub is not known. */
  async find(deviceId: string, fleet: Fleet): Promise<KnownParent> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<KnownParent>((resolve) => {
      const why = 'the state tables did not answer in time';
      timer = setTimeout(() => resolve({ deviceId, why }), LONGEST_WAIT_MS);
    });
    const found = this.#find(deviceId, fleet).catch((error: unknown): KnownParent => {
      const code = error instanceof BerthError ? ` (${error.code})` : '';
      return { deviceId, why: `the state tables cannot be read${code}` };
    });
    try {
      return await Promise.race([found, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #find(deviceId: string, fleet: Fleet): Promise<KnownParent> {
    const { receipts, twins } = await this.#options.stores();
    const load = async (host: HostName) => ({
      host,
      known: (await twins.load({ host, deviceId, moduleId: undefined })).known,
    });
    const registered = registeredHub(deviceId, await receipts.list(deviceId));
    if (registered?.result.kind === 'assigned') {
      const found = parentOfReceipt(deviceId, registered, await load(registered.result.host));
      if (found !== undefined) return found;
    }
    return parentOfTwins(deviceId, await Promise.all(fleet.hubs.map(({ host }) => load(host))));
  }
}
