import { BerthError, type ErrorCode } from '../errors.ts';
import type { HostName } from '../iot-hub/host-name.ts';
import type { JsonObject } from '../json/json.ts';
import type { EpochMs } from '../time/epoch-ms.ts';
import type { Instant } from '../time/instant.ts';
import type { DeviceScopes } from '../twin/snapshot/parent-record.ts';
import type { Twin, TwinId } from '../twin/snapshot/twin.ts';

/**
 * The deadline of a call. A hub queues calls before it throttles them. Without a deadline, calls would wait for a long time
 * before the first 429.
 */
export const HUB_DEADLINE_MS = 10_000;

/**
 * The calls to IoT hubs that twin sync and the conditions need. Every method throws `HubError` for every failure. Berth
 * calls hubs through `BudgetedHubPort`, which has a permit for each call.
 */
export interface HubPort {
  /** Reads one twin. Costs one twin read. */
  readTwin(id: TwinId): Promise<Twin>;
  /**
   * Merges a patch into the desired properties, if the twin still has this etag. Returns the twin after the write. Costs
   * one twin update.
   */
  patchDesired(id: TwinId, patch: JsonObject, etag: string): Promise<Twin>;
  /**
   * Applies a whole manifest to an IoT Edge device (`applyConfigurationContent`). The hub replaces the desired properties of
   * each module that the content names. Costs one apply, and two identity operations of the device for each touched module.
   *
   * @param content holds credentials: nothing may store or log it
   */
  applyManifest(id: DeviceId, content: JsonObject): Promise<void>;
  /**
   * Asks the identity registry, because a hub also answers 404 for the twin of a disabled device. Costs one identity
   * operation, or two for a module.
   */
  identityStatus(id: TwinId): Promise<IdentityStatus>;
  /** The place of a device below gateways, from its identity. Costs one identity operation. */
  readScopes(id: DeviceId): Promise<DeviceScopes>;
  /**
   * Enters the scope of the parent in the identity of a device, if none is entered. All other fields stay as they are. Costs
   * two identity operations.
   */
  enterParent(id: DeviceId, scope: string): Promise<EnteredParent>;
  /** Calls a direct method of a device, once, if the device is connected. Costs one method call. */
  invokeMethod(id: DeviceId, name: string, payload: JsonObject): Promise<MethodResult>;
  /** The number of devices of the hub. Costs one identity operation. */
  countDevices(host: HostName): Promise<number>;
  /**
   * A page of all device twins, or of all module twins, with their versions. The result may be some minutes old
   * (iot-hub-devguide-query-language). Costs one query.
   *
   * @param continuation undefined for the first page.
   */
  listTwins(host: HostName, of: TwinKind, continuation: string | undefined): Promise<TwinPage>;
  /**
   * The connections and last activity of devices, or of their modules with one name. Unknown devices are left out. The
   * result may be some minutes old. Costs one query.
   *
   * @param deviceIds at most `MOST_ASKED_AT_ONCE`.
   */
  readActivity(host: HostName, question: ActivityQuestion): Promise<ActivityPage>;
  /** Writes the time into a tag of the twin of `berth-heartbeat`, whatever its etag. Costs one twin update. */
  beat(host: HostName, at: EpochMs): Promise<void>;
}

/**
 * The result of `enterParent`.
 * - `taken`: another parent was entered in between.
 * - `keysHidden`: the hub does not show the keys of the identity. An update without them would replace them.
 */
export type EnteredParent = 'entered' | 'taken' | 'keysHidden';

/** The result of `invokeMethod`. The status in the answer of the device does not matter. */
export type MethodResult =
  | { readonly kind: 'answered' | 'notConnected' | 'noAnswer' }
  /** The hub refuses this call only. It may allow other calls, so this does not count as a failure of the hub. */
  | { readonly kind: 'unauthorized'; readonly hubCode: string };

/** Names a device of a hub. */
export type DeviceId = Pick<TwinId, 'host' | 'deviceId'>;

/** The status of a device or module in the identity registry. */
export type IdentityStatus = 'enabled' | 'disabled' | 'missing';

/** The ids of this many devices fit into one query text of 8,192 characters (iot-hub-devguide-query-language). */
export const MOST_ASKED_AT_ONCE = 50;

export interface ActivityQuestion {
  readonly deviceIds: readonly string[];
  /** Undefined: the devices themselves. */
  readonly moduleId: string | undefined;
}

export interface ActivityPage {
  /** The hub's clock. Undefined: the answer had no time. */
  readonly readAt: Instant | undefined;
  /** By device id. */
  readonly devices: ReadonlyMap<string, ListedActivity>;
}

export interface ListedActivity {
  /** `connectionState`, which may be wrong for a while (iot-hub-devguide-identity-registry). */
  readonly isConnected: boolean;
  /** `lastActivityTime`: the device connected, disconnected or sent a message. */
  readonly lastActivityAt: Instant;
}

export type TwinKind = 'devices' | 'modules';

export interface TwinPage {
  readonly twins: readonly ListedTwin[];
  /** The token of the next page. Undefined: this is the last page. */
  readonly continuation: string | undefined;
  /** The hub's clock. Undefined: the answer had no time. */
  readonly readAt?: Instant | undefined;
}

/** A twin without its contents. */
export interface ListedTwin {
  readonly id: TwinId;
  readonly version: number;
  readonly etag: string | undefined;
}

/** `BERTH_SETTING_INVALID`: no call was made, because the connection of the hub cannot be used. */
export type HubErrorCode = Extract<ErrorCode, `BERTH_HUB_${string}` | 'BERTH_SETTING_INVALID'>;

export interface HubErrorFacts {
  readonly host: string;
  readonly status?: number | undefined;
  /** The hub's own number (404001) or name (DeviceNotFound). */
  readonly hubCode?: string | undefined;
  /** The wait that the hub asked for in `Retry-After`. */
  readonly retryAfterMs?: number | undefined;
  /**
   * The call may have taken effect although it failed: the answer was lost, or the hub failed while it handled the call.
   */
  readonly mayHaveApplied?: boolean;
  /** The hub's clock when it answered. Undefined: the answer had no time. */
  readonly answeredAt?: Instant | undefined;
}

/** A failed call to a hub. Holds no headers and no body: both may carry a token. */
export class HubError extends BerthError {
  declare readonly code: HubErrorCode;
  readonly host: string;
  readonly status: number | undefined;
  readonly hubCode: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly mayHaveApplied: boolean;
  readonly answeredAt: Instant | undefined;

  constructor(code: HubErrorCode, message: string, facts: HubErrorFacts) {
    super(code, message);
    this.name = 'HubError';
    this.host = facts.host;
    this.status = facts.status;
    this.hubCode = facts.hubCode;
    this.retryAfterMs = facts.retryAfterMs;
    this.mayHaveApplied = facts.mayHaveApplied ?? false;
    this.answeredAt = facts.answeredAt;
  }
}
