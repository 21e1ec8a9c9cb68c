import type { Fleet, Hub } from '../fleet/fleet.ts';
import type { HostName } from '../iot-hub/host-name.ts';
import type { JsonObject } from '../json/json.ts';
import { type EpochMs, plus } from '../time/epoch-ms.ts';
import type { DeviceScopes } from '../twin/snapshot/parent-record.ts';
import type { Twin, TwinId } from '../twin/snapshot/twin.ts';
import type { HubBudget, NoPermit, Permit, PermittedOperation } from './budget.ts';
import type {
  ActivityPage,
  ActivityQuestion,
  DeviceId,
  EnteredParent,
  HubPort,
  IdentityStatus,
  MethodResult,
  TwinKind,
  TwinPage,
} from './port.ts';

/** The hub's answer, or no permit. Without a permit no call was made. */
export type Permitted<Result> = { readonly kind: 'answered'; readonly answer: Result } | NoPermit;

/** Allows one write to one twin. Its private member keeps other code from making one. */
class SingleWrite {
  readonly kind = 'writePermit';
  readonly #id: TwinId;

  constructor(id: TwinId) {
    this.#id = id;
  }

  get id(): TwinId {
    return this.#id;
  }
}

/** Allows one write to one twin. Only `permitWrite` makes one. */
export type WritePermit = SingleWrite;

/**
 * The calls of `HubPort`, each with a permit of the budget. Twin sync uses hubs only through this port, so that no call can
 * forget its permit. Every method throws `HubError` if the hub fails, and `BerthError` `BERTH_STORE_UNAVAILABLE` if the
 * messages of the day cannot be counted.
 */
export interface BudgetedHubPort {
  readTwin(id: TwinId): Promise<Permitted<Twin>>;
  /** The permit comes before the write, because Berth stores the intended values in between. */
  permitWrite(id: TwinId): Promise<WritePermit | NoPermit>;
  /**
   * Writes to the twin of the permit, and uses up the permit.
   *
   * @throws Error if the permit is used up or comes from another port: a defect.
   */
  patchDesired(permit: WritePermit, patch: JsonObject, etag: string): Promise<Twin>;
  /** As `permitWrite`, for one apply to an IoT Edge device. */
  permitApply(id: DeviceId, identityOperations: number): Promise<WritePermit | NoPermit>;
  /** Applies a manifest to the device of the permit, and uses up the permit. @throws Error as `patchDesired` */
  applyManifest(permit: WritePermit, content: JsonObject): Promise<void>;
  identityStatus(id: TwinId): Promise<Permitted<IdentityStatus>>;
  readScopes(id: DeviceId): Promise<Permitted<DeviceScopes>>;
  /** As `permitWrite`, to enter the parent of a device in its identity. That reads and updates the identity. */
  permitParent(id: DeviceId): Promise<WritePermit | NoPermit>;
  /** Enters the parent of the device of the permit, and uses up the permit. @throws Error as `patchDesired` */
  enterParent(permit: WritePermit, scope: string): Promise<EnteredParent>;
  invokeMethod(id: DeviceId, name: string, payload: JsonObject): Promise<Permitted<MethodResult>>;
  countDevices(host: HostName): Promise<Permitted<number>>;
  listTwins(host: HostName, of: TwinKind, continuation: string | undefined): Promise<Permitted<TwinPage>>;
  readActivity(host: HostName, question: ActivityQuestion): Promise<Permitted<ActivityPage>>;
  beat(host: HostName, at: EpochMs): Promise<Permitted<void>>;
}

export interface BudgetOptions {
  /** Gives the limits of each hub. A hub that is not in it gets no permit. */
  readonly fleet: Pick<Fleet, 'hubByHost'>;
  readonly budget: HubBudget;
  /** No permit is granted after this time, and Berth does not wait for one beyond it. */
  readonly until: EpochMs;
  readonly now: () => EpochMs;
}

/** When to ask again for a permit for an unknown hub. A new fleet file may list it. */
const UNKNOWN_HUB_MS = 60_000;

/**
 * The hubs, with a permit of the budget before every call.
 *
 * @example
 * const hubs = redactHubs(budgetHubs(watchHubs(opened, watching), { fleet, budget, until, now }), redaction);
 * const read = await hubs.readTwin(id);
 * if (read.kind === 'noPermit') return requeueAt(read.at);
 */
export function budgetHubs(hubs: HubPort, { fleet, budget, until, now }: BudgetOptions): BudgetedHubPort {
  const unused = new WeakSet<WritePermit>();
  const permit = async (
    host: HostName,
    ask: (hub: Hub) => Promise<Permit | NoPermit>,
  ): Promise<NoPermit | undefined> => {
    if (now() > until)
      return { kind: 'noPermit', at: now(), why: 'the batch ran out of time', isQuota: false };
    const hub = fleet.hubByHost.get(host);
    if (hub === undefined) {
      const why = `the fleet file does not list ${host}`;
      return { kind: 'noPermit', at: plus(now(), UNKNOWN_HUB_MS), why, isQuota: false };
    }
    const permitted = await ask(hub);
    return permitted.kind === 'noPermit' ? permitted : undefined;
  };
  const grant = (id: TwinId): WritePermit => {
    const granted = new SingleWrite(id);
    unused.add(granted);
    return granted;
  };
  const use = (granted: WritePermit): void => {
    if (unused.delete(granted)) return;
    throw new Error('A write permit allows one write, through the port that granted it.');
  };
  const call = async <Result>(
    host: HostName,
    operation: PermittedOperation,
    ask: () => Promise<Result>,
  ): Promise<Permitted<Result>> =>
    (await permit(host, (hub) => budget.permit(hub, operation, until))) ?? {
      kind: 'answered',
      answer: await ask(),
    };
  return {
    readTwin: (id) => call(id.host, 'read', () => hubs.readTwin(id)),
    async permitWrite(id) {
      const refusal = await permit(id.host, (hub) => budget.permit(hub, 'write', until));
      return refusal ?? grant(id);
    },
    async patchDesired(granted, patch, etag) {
      use(granted);
      return hubs.patchDesired(granted.id, patch, etag);
    },
    async permitApply({ host, deviceId }, identityOperations) {
      const refusal = await permit(host, (hub) => budget.permitApply(hub, identityOperations, until));
      return refusal ?? grant({ host, deviceId, moduleId: undefined });
    },
    async applyManifest(granted, content) {
      use(granted);
      return hubs.applyManifest(granted.id, content);
    },
    identityStatus: (id) => call(id.host, 'identity', () => hubs.identityStatus(id)),
    readScopes: (id) => call(id.host, 'identity', () => hubs.readScopes(id)),
    async permitParent({ host, deviceId }) {
      const ask = () => permit(host, (hub) => budget.permit(hub, 'identity', until));
      return (await ask()) ?? (await ask()) ?? grant({ host, deviceId, moduleId: undefined });
    },
    async enterParent(granted, scope) {
      use(granted);
      return hubs.enterParent(granted.id, scope);
    },
    invokeMethod: (id, name, payload) => call(id.host, 'method', () => hubs.invokeMethod(id, name, payload)),
    countDevices: (host) => call(host, 'statistics', () => hubs.countDevices(host)),
    listTwins: (host, of, continuation) => call(host, 'query', () => hubs.listTwins(host, of, continuation)),
    readActivity: (host, question) => call(host, 'query', () => hubs.readActivity(host, question)),
    beat: (host, at) => call(host, 'heartbeat', () => hubs.beat(host, at)),
  };
}
