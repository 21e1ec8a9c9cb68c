import type { Receipt } from '../../../allocation/receipt/receipt.ts';
import { untilStored } from '../../../store/tables/optimistic.ts';
import type { TwinStore } from '../../../store/twins/twin-store.ts';
import { type EpochMs, epochMs } from '../../../time/epoch-ms.ts';
import type { ParentRecord } from '../../../twin/snapshot/parent-record.ts';

/**
 * After a device that keeps its hub has registered with a parent: lets the sync look at its parent again. No event of the
 * twin would cause this. The twin of a device that gets a new hub is new there, so Berth looks anyway.
 *
 * @param now by the clock of the hubs
 * @throws BerthError `BERTH_STORE_UNAVAILABLE`, `BERTH_FORMAT_NEWER`
 */
export async function askForParent(
  twins: Pick<TwinStore, 'load' | 'save'>,
  { result, inputs }: Pick<Receipt, 'result' | 'inputs'>,
  now: EpochMs,
): Promise<void> {
  const { parent } = inputs;
  if (parent === undefined || result.kind !== 'assigned') return;
  const deviceId = inputs.currentDeviceId ?? inputs.deviceId ?? inputs.registrationId;
  const id = { host: result.host, deviceId, moduleId: undefined };
  await untilStored(`The record of ${deviceId}`, async () => {
    const record = await twins.load(id);
    if (record.known.kind !== 'snapshot') return 'nothing';
    const { snapshot } = record.known;
    if (snapshot.parent === undefined || isAbout(snapshot.parent, parent.deviceId)) return 'nothing';
    const { workItem } = snapshot;
    const at = epochMs(Math.ceil(now));
    // After a failed call, its wait stays.
    const isSooner = workItem !== undefined && (workItem.tries > 0 || workItem.at <= now);
    const next = isSooner ? workItem : ({ priority: 'drift', at, why: 'its parent', tries: 0 } as const);
    // A time, because a resync in between computes the work item again from it.
    const after = { ...snapshot, parent: { kind: 'noReceipt', checkAt: at } as const, workItem: next };
    return twins.save(record, { kind: 'snapshot', snapshot: after });
  });
}

function isAbout(record: ParentRecord, parentId: string): boolean {
  return 'deviceId' in record && record.deviceId === parentId;
}
