import { limitFunction } from 'p-limit';
import type { EpochMs } from '../../../time/epoch-ms.ts';
import { millisecondsOf } from '../../../time/instant.ts';
import { requestedAt } from '../../../twin/plan/move-request.ts';
import { historyAt } from '../../../twin/snapshot/snapshot.ts';
import type { DrainSession } from './session.ts';

/** The state tables answer in about ten milliseconds. */
const CONCURRENCY = 16;

/** When Berth has set the move request in the twins of devices, from the snapshots. Each snapshot is read once. */
export class AskedTimes {
  readonly #session: Pick<DrainSession, 'fleet' | 'state' | 'tools'>;
  readonly #known = new Map<string, EpochMs | undefined>();

  constructor(session: Pick<DrainSession, 'fleet' | 'state' | 'tools'>) {
    this.#session = session;
  }

  /**
   * The time of each device that was asked. Empty if the fleet file asks no device.
   *
   * @throws NewerFormatError (`BERTH_FORMAT_NEWER`) if a newer package has stored one of the twins
   */
  async of(deviceIds: readonly string[]): Promise<ReadonlyMap<string, EpochMs | undefined>> {
    const { fleet, state, tools } = this.#session;
    const { moveRequest } = fleet.twins;
    if (moveRequest === undefined) return this.#known;
    const read = limitFunction(
      async (deviceId: string) => {
        const { known } = await state.twins.load({ host: tools.host, deviceId, moduleId: undefined });
        const askedAt =
          known.kind === 'snapshot'
            ? requestedAt(historyAt(known.snapshot.paths, moveRequest.leaf.key))
            : undefined;
        this.#known.set(deviceId, askedAt && millisecondsOf(askedAt));
      },
      { concurrency: CONCURRENCY },
    );
    await Promise.all(deviceIds.filter((deviceId) => !this.#known.has(deviceId)).map((id) => read(id)));
    return this.#known;
  }
}
