import { registeredHub } from '../../../allocation/receipt/locate-parent.ts';
import { parentStep } from '../../../edge/parent-scope.ts';
import { BerthError } from '../../../errors.ts';
import type { NoPermit } from '../../../hub/budget.ts';
import type { WritePermit } from '../../../hub/budgeted-hubs.ts';
import { type EnteredParent, HubError } from '../../../hub/port.ts';
import type { ReceiptStore } from '../../../store/receipts/receipt-store.ts';
import { mustComeAgain } from '../../../store/tables/newer-format.ts';
import { untilStored } from '../../../store/tables/optimistic.ts';
import { type EpochMs, epochMs, plus } from '../../../time/epoch-ms.ts';
import { millisecondsOf } from '../../../time/instant.ts';
import { type DeviceScopes, type ParentRecord, parentCheckAt } from '../../../twin/snapshot/parent-record.ts';
import type { Snapshot } from '../../../twin/snapshot/snapshot.ts';
import { type TwinId, twinKey } from '../../../twin/snapshot/twin.ts';
import { backOff } from '../back-off.ts';
import type { SyncContext } from '../sync-context.ts';

/** A twin that is older than this has its receipt, if there is one. Berth stores receipts a second after the answer. */
const RECEIPT_MS = 2 * 60_000;
const NO_RECEIPT_YET_MS = 10_000;
/** The parent may be created a little later than its child. */
const NO_PARENT_YET_MS = 60_000;
/** An operator must act first. */
const OPERATOR_MS = 60 * 60_000;
const UNAUTHORIZED_MS = 5 * 60_000;
const PAUSED_MS = 60_000;
/** The shortest wait, so that one run of the work queue does not ask again and again. */
const NO_PERMIT_MS = 5_000;

type Missing = Omit<Extract<ParentRecord, { kind: 'missing' }>, 'kind' | 'deviceId' | 'revision'>;

/**
 * Enters the parent of a device in the identity of the device, once, if none is entered and `allocation.setScopes` allows it.
 * The newest receipt of the device names the parent. What Berth found is in the snapshot of the device twin, so that a device
 * is looked at once and not at every event.
 */
export class ParentWork {
  readonly #context: SyncContext;
  readonly #receipts: Pick<ReceiptStore, 'list'>;

  constructor(context: SyncContext, receipts: Pick<ReceiptStore, 'list'>) {
    this.#context = context;
    this.#receipts = receipts;
  }

  /**
   * @param mayCall false: calls no hub, as in a resync
   * @returns whether the stored record has changed, so that the status of the twin must be computed again
   * @throws BerthError `BERTH_STORE_UNAVAILABLE`, `BERTH_FORMAT_NEWER`
   */
  async reconcile(id: TwinId, snapshot: Snapshot, mayCall: boolean): Promise<boolean> {
    if (!this.#isDue(snapshot, mayCall)) return false;
    const { twins, gate, wait } = this.#context;
    if ((await gate.current()).isOutdated) return false;
    const found = mayCall ? await this.#look(id, snapshot) : this.#again(snapshot);
    if (found === undefined) return false;
    return untilStored(
      `The record of ${twinKey(id)}`,
      async () => {
        const record = await twins.load(id);
        const { known } = record;
        if (known.kind !== 'snapshot' || known.snapshot.bornAt !== snapshot.bornAt) return false;
        const after = { ...known.snapshot, parent: found };
        return (await twins.save(record, { kind: 'snapshot', snapshot: after })) === 'conflict'
          ? 'conflict'
          : true;
      },
      wait,
    );
  }

  #isDue({ parent, unread, suspended }: Snapshot, mayCall: boolean): boolean {
    const { fleet, hubNow } = this.#context;
    if (!fleet.allocation.namesParents || unread !== undefined || suspended !== undefined) return false;
    if (!mayCall) return parent?.kind === 'missing' && parent.revision !== fleet.revision;
    const at = parentCheckAt(parent);
    return parent === undefined || (at !== undefined && at <= hubNow());
  }

  /** Another fleet file may allow what the last one did not. */
  #again({ parent }: Snapshot): ParentRecord | undefined {
    const { fleet, hubNow } = this.#context;
    return parent?.kind === 'missing'
      ? { ...parent, revision: fleet.revision, checkAt: epochMs(Math.ceil(hubNow())) }
      : undefined;
  }

  async #look(id: TwinId, snapshot: Snapshot): Promise<ParentRecord> {
    const { hubNow } = this.#context;
    const receipt = registeredHub(id.deviceId, await this.#receipts.list(id.deviceId));
    const isHere = receipt?.result.kind === 'assigned' && receipt.result.host === id.host;
    if (!isHere) {
      const isYoung = hubNow() - millisecondsOf(snapshot.bornAt) < RECEIPT_MS;
      return isYoung ? { kind: 'noReceipt', checkAt: this.#in(NO_RECEIPT_YET_MS) } : { kind: 'none' };
    }
    const parentId = receipt.inputs.parent?.deviceId;
    return parentId === undefined ? { kind: 'none' } : this.#enter(id, parentId, snapshot);
  }

  async #enter(id: TwinId, parentId: string, { parent: before }: Snapshot): Promise<ParentRecord> {
    const { fleet } = this.#context;
    const tries = before?.kind === 'missing' && before.deviceId === parentId ? before.tries : 0;
    const missing = (facts: Missing): ParentRecord => ({
      kind: 'missing',
      deviceId: parentId,
      revision: fleet.revision,
      ...facts,
    });
    try {
      const found = await this.#tryToEnter(id, parentId);
      return 'kind' in found ? found : missing(found);
    } catch (error) {
      if (!(error instanceof BerthError) || mustComeAgain(error)) throw error;
      return missing(this.#afterFailure(id, error, tries));
    }
  }

  async #tryToEnter(id: TwinId, parentId: string): Promise<ParentRecord | Missing> {
    const { hubs, fleet, gate } = this.#context;
    const { host, deviceId } = id;
    const parent = await this.#scopesOfParent(id, parentId);
    if ('why' in parent) return parent;
    const child = await hubs.readScopes({ host, deviceId });
    if (child.kind === 'noPermit') return this.#noPermit(child);
    const step = parentStep(child.answer, parent);
    switch (step.kind) {
      case 'notEdge':
        return this.#wait(OPERATOR_MS, `its parent ${parentId} is not an IoT Edge device`);
      case 'entered':
        return { kind: 'entered', deviceId: parentId, by: 'others' };
      case 'another':
        return { kind: 'another', deviceId: parentId };
      case 'enter':
        break;
    }
    const notEntered = `BERTH_PARENT_NOT_ENTERED: its identity does not name its parent ${parentId}`;
    if (!fleet.allocation.setsScopes) {
      return this.#wait(OPERATOR_MS, `${notEntered}: allow allocation.setScopes, or enter it yourself`);
    }
    const pause = async (): Promise<Missing | undefined> => {
      const closed = (await gate.current()).closedFor(host);
      if (closed === undefined) return undefined;
      return this.#wait(PAUSED_MS, `its identity does not name its parent; ${closed}`);
    };
    const paused = await pause();
    if (paused !== undefined) return paused;
    const permit = await hubs.permitParent({ host, deviceId });
    if (permit.kind === 'noPermit') return this.#noPermit(permit);
    // The permit may have taken long, and the hub may have been paused in between.
    const pausedMeanwhile = await pause();
    if (pausedMeanwhile !== undefined) return pausedMeanwhile;
    const entered = await this.#enterScope(id, permit, step.scope);
    if (typeof entered !== 'string') return entered;
    switch (entered) {
      case 'entered':
        return { kind: 'entered', deviceId: parentId, by: 'berth' };
      case 'taken':
        return { kind: 'another', deviceId: parentId };
      case 'keysHidden':
        return this.#wait(
          OPERATOR_MS,
          `${notEntered}, and the hub does not show its keys, so Berth does not update it: enter it yourself`,
        );
    }
  }

  /** A missing right needs an operator, who must know the role. Other failures are thrown. */
  async #enterScope(
    { host, deviceId }: TwinId,
    permit: WritePermit,
    scope: string,
  ): Promise<EnteredParent | Missing> {
    const { hubs, warn } = this.#context;
    try {
      return await hubs.enterParent(permit, scope);
    } catch (error) {
      if (!(error instanceof HubError) || error.code !== 'BERTH_HUB_UNAUTHORIZED') throw error;
      const hubCode = error.hubCode ?? String(error.status);
      const why = `BERTH_PARENT_UNAUTHORIZED: the hub refuses an update of an identity (${hubCode}): give the app the role "${SCOPE_ROLE}", with the data action ${SCOPE_ACTION}`;
      warn(why, { code: 'BERTH_PARENT_UNAUTHORIZED', hub: host, deviceId, hubCode });
      return this.#wait(UNAUTHORIZED_MS, why);
    }
  }

  async #scopesOfParent({ host }: TwinId, parentId: string): Promise<Missing | DeviceScopes> {
    try {
      const read = await this.#context.hubs.readScopes({ host, deviceId: parentId });
      return read.kind === 'noPermit' ? this.#noPermit(read) : read.answer;
    } catch (error) {
      if (!(error instanceof HubError) || error.code !== 'BERTH_HUB_NOT_FOUND') throw error;
      return this.#wait(NO_PARENT_YET_MS, `its parent ${parentId} is not on ${host}`);
    }
  }

  #afterFailure(id: TwinId, error: BerthError, tries: number): Missing {
    const { warn, hubNow } = this.#context;
    const hubCode = error instanceof HubError ? (error.hubCode ?? String(error.status)) : null;
    if (error.code !== 'BERTH_HUB_THROTTLED') {
      warn(error.message, { code: error.code, hub: id.host, deviceId: id.deviceId, hubCode });
    }
    const at = plus(hubNow(), backOff(error, twinKey(id), tries));
    return { why: error.message.replace(/\.$/, ''), checkAt: epochMs(Math.ceil(at)), tries: tries + 1 };
  }

  #noPermit({ at, why }: NoPermit): Missing {
    const { now } = this.#context;
    return this.#wait(Math.max(NO_PERMIT_MS, at - now()), why);
  }

  #wait(ms: number, why: string): Missing {
    return { why, checkAt: this.#in(ms), tries: 0 };
  }

  #in(ms: number): EpochMs {
    return epochMs(Math.ceil(plus(this.#context.hubNow(), ms)));
  }
}

/** The custom role of the templates, and its only data action (Microsoft, Azure permissions for Internet of Things). */
const SCOPE_ROLE = 'Berth Scope Writer';
const SCOPE_ACTION = 'Microsoft.Devices/IotHubs/devices/write';
