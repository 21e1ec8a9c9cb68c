import { BerthError, type ErrorCode } from '../errors.ts';
import type { HostName } from '../fleet/host-name.ts';
import type { JsonObject } from '../json.ts';
import type { Twin, TwinId } from '../twin/twin.ts';

/**
 * What twin sync and the conditions need of IoT hubs. Every method throws `HubError` for whatever goes wrong.
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
  identityStatus(id: TwinId): Promise<'enabled' | 'disabled' | 'missing'>;
  /** How many devices the hub has. One identity operation. */
  countDevices(host: HostName): Promise<number>;
  /**
   * A page of all device twins, or of all twins of modules: what each is at, some minutes ago
   * (iot-hub-devguide-query-language). One query.
   *
   * @param continuation undefined for the first page.
   */
  listTwins(host: HostName, of: TwinKind, continuation: string | undefined): Promise<TwinPage>;
}

export type TwinKind = 'devices' | 'modules';

export interface TwinPage {
  readonly twins: readonly ListedTwin[];
  /** Leads to the next page; undefined: this was the last. */
  readonly continuation: string | undefined;
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
}

/** A failed call to a hub. Holds no headers and no body: both may carry a token. */
export class HubError extends BerthError {
  declare readonly code: HubErrorCode;
  readonly host: string;
  readonly status: number | undefined;
  readonly hubCode: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly mayHaveApplied: boolean;

  constructor(code: HubErrorCode, message: string, facts: HubErrorFacts) {
    super(code, message);
    this.name = 'HubError';
    this.host = facts.host;
    this.status = facts.status;
    this.hubCode = facts.hubCode;
    this.retryAfterMs = facts.retryAfterMs;
    this.mayHaveApplied = facts.mayHaveApplied ?? false;
  }
}
