import { BerthError, type ErrorCode } from '../errors.ts';
import type { HostName } from '../iot-hub/host-name.ts';
import type { JsonObject } from '../json/json.ts';
import type { Instant } from '../time/instant.ts';
import type { Twin, TwinId } from '../twin/snapshot/twin.ts';

/**
 * Milliseconds after which a call is given up. A hub queues calls before it throttles them, so a call without an end
 * would hang long before the first 429.
 */
export const HUB_DEADLINE_MS = 10_000;

/**
 * What twin sync and the conditions need of IoT hubs. Every method throws `HubError` for whatever goes wrong. Berth calls
 * hubs through `BudgetedHubPort`, which has a permit for each call.
 */
export interface HubPort {
  /** One twin read of the hub's throttle and quota. */
  readTwin(id: TwinId): Promise<Twin>;
  /**
   * Merges into desired properties, only if the etag is still the twin's; answers the twin after that. One
   * twin update.
   */
  patchDesired(id: TwinId, patch: JsonObject, etag: string): Promise<Twin>;
  /**
   * Asks the identity registry, because a hub answers 404 for the twin of a disabled device too. One identity
   * operation, two for a module.
   */
  identityStatus(id: TwinId): Promise<IdentityStatus>;
  /** How many devices the hub has. One identity operation. */
  countDevices(host: HostName): Promise<number>;
  /**
   * A page of all device twins, or of all twins of modules: what each is at, some minutes ago
   * (iot-hub-devguide-query-language). One query.
   *
   * @param continuation undefined for the first page.
   */
  listTwins(host: HostName, of: TwinKind, continuation: string | undefined): Promise<TwinPage>;
  /**
   * What the hub knows of whether devices are alive, or the modules of one name on them; those that it does not have are left out.
   * Some minutes old. One query.
   *
   * @param deviceIds at most `MOST_ASKED_AT_ONCE`.
   */
  readActivity(host: HostName, question: ActivityQuestion): Promise<ActivityPage>;
}

/** What the identity registry says of a device or module. */
export type IdentityStatus = 'enabled' | 'disabled' | 'missing';

/** So many rows come in one page, and their ids fit into one query text (iot-hub-devguide-query-language: 8,192 characters). */
export const MOST_ASKED_AT_ONCE = 50;

export interface ActivityQuestion {
  readonly deviceIds: readonly string[];
  /** Undefined: the devices themselves. */
  readonly moduleId: string | undefined;
}

export interface ActivityPage {
  /** The hub's clock; undefined: it did not say. */
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
  /** Leads to the next page; undefined: this was the last. */
  readonly continuation: string | undefined;
  /** The hub's clock; undefined: it did not say. */
  readonly readAt?: Instant | undefined;
}

/** A twin without its contents. */
export interface ListedTwin {
  readonly id: TwinId;
  readonly version: number;
  readonly etag: string | undefined;
}

export type HubErrorCode = Extract<ErrorCode, `BERTH_HUB_${string}`>;

export interface HubErrorFacts {
  readonly host: string;
  readonly status?: number | undefined;
  /** The hub's own number (404001) or name (DeviceNotFound). */
  readonly hubCode?: string | undefined;
  /** What the hub asked for in `Retry-After`, ms. */
  readonly retryAfterMs?: number | undefined;
  /**
   * The call may have taken effect although it failed: the answer was lost, or the hub broke down over it.
   */
  readonly mayHaveApplied?: boolean;
  /** The hub's clock when it answered; undefined: it did not say. */
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
