import {
  type ActivityPage,
  type ActivityQuestion,
  type DeviceId,
  type EnteredParent,
  HubError,
  type HubErrorCode,
  type HubPort,
  type ListedActivity,
  type MethodResult,
  type TwinPage,
} from '../../src/hub/port.ts';
import type { HostName } from '../../src/iot-hub/host-name.ts';
import { isObject, type JsonObject } from '../../src/json/json.ts';
import type { EpochMs } from '../../src/time/epoch-ms.ts';
import { type Instant, instantOf } from '../../src/time/instant.ts';
import type { TwinEvent } from '../../src/twin/events/event.ts';
import { mergePatch } from '../../src/twin/snapshot/merge.ts';
import type { DeviceScopes } from '../../src/twin/snapshot/parent-record.ts';
import type { Twin, TwinId } from '../../src/twin/snapshot/twin.ts';
import { ID } from '../twin/twins.ts';

/** A failure to come: before the call takes effect, or after. */
export interface Failure {
  readonly code: HubErrorCode;
  readonly applied?: boolean;
  readonly retryAfterMs?: number;
}

/** One twin of a hub in memory, for virtual time: versions, etag and events as a hub keeps them. */
export class MemoryHub implements HubPort {
  readonly calls: string[] = [];
  readonly events: TwinEvent[] = [];
  readonly failures: Failure[] = [];
  status: 'enabled' | 'disabled' | 'missing' = 'enabled';
  /** Called after a call has been received and before it takes effect: what others do meanwhile. */
  meanwhile: (() => Promise<void> | void) | undefined;
  /** The form in which the hub keeps the desired properties of a patch. */
  keptAs: (patch: JsonObject) => JsonObject = (patch) => patch;
  /** Whether the hub finds fault with a patch. */
  refuses: (patch: JsonObject) => boolean = () => false;
  readonly #now: () => EpochMs;
  #tags: JsonObject = {};
  #desired: JsonObject = {};
  #reported: JsonObject = {};
  #desiredMetadata: JsonObject = {};
  #reportedMetadata: JsonObject = {};
  #writes = 1;
  #desiredVersion = 1;
  #reportedVersion = 1;

  constructor(now: () => EpochMs, desired: JsonObject = {}) {
    this.#now = now;
    this.#desired = desired;
  }

  twin(): Twin {
    return {
      version: this.#writes + this.#reportedVersion,
      etag: Buffer.from([0, 0, 0, 0, 0, 0, 0, this.#writes]).toString('base64'),
      tags: this.#tags,
      desired: { values: this.#desired, version: this.#desiredVersion, metadata: this.#desiredMetadata },
      reported: { values: this.#reported, version: this.#reportedVersion, metadata: this.#reportedMetadata },
      lastUpdated: instantOf(this.#now()),
    };
  }

  created(): TwinEvent {
    return this.#emit({ kind: 'create', id: ID, time: instantOf(this.#now()), twin: this.twin() });
  }

  deleted(): TwinEvent {
    this.status = 'missing';
    return this.#emit({ kind: 'delete', id: ID, time: instantOf(this.#now()) });
  }

  report(values: JsonObject): TwinEvent {
    this.#reported = mergePatch(this.#reported, values);
    this.#reportedVersion += 1;
    const stamps = stamped(values, instantOf(this.#now()));
    this.#reportedMetadata = mergePatch(this.#reportedMetadata, stamps);
    const reported = { values, version: this.#reportedVersion, metadata: stamps };
    return this.#emitUpdate({ tags: undefined, desired: undefined, reported });
  }

  /** A write by anybody but Berth. */
  edit(values: JsonObject): TwinEvent {
    this.#desired = mergePatch(this.#desired, values);
    this.#desiredVersion += 1;
    this.#writes += 1;
    const stamps = stamped(values, instantOf(this.#now()));
    this.#desiredMetadata = mergePatch(this.#desiredMetadata, stamps);
    const desired = { values, version: this.#desiredVersion, metadata: stamps };
    return this.#emitUpdate({ tags: undefined, desired, reported: undefined });
  }

  async readTwin(): Promise<Twin> {
    await this.#receive('GET');
    return { ...this.twin(), readAt: instantOf(this.#now()) };
  }

  async patchDesired(_: TwinId, patch: JsonObject, etag: string): Promise<Twin> {
    const failure = await this.#receive(`PATCH ${JSON.stringify(patch)}`);
    if (etag !== this.twin().etag) throw this.#error({ code: 'BERTH_HUB_PRECONDITION_FAILED' });
    if (this.refuses(patch)) throw this.#error({ code: 'BERTH_HUB_REFUSED' });
    this.edit(this.keptAs(patch));
    if (failure !== undefined) throw this.#error(failure);
    return { ...this.twin(), readAt: instantOf(this.#now()) };
  }

  /** Only counted: the tests of IoT Edge have their own hub. */
  async applyManifest(): Promise<void> {
    await this.#receive('APPLY');
  }

  async identityStatus(): Promise<'enabled' | 'disabled' | 'missing'> {
    this.calls.push('identity');
    return this.status;
  }

  /** Only counted: the tests of parents use the local hub. */
  async readScopes(): Promise<DeviceScopes> {
    await this.#receive('scopes');
    return { isEdge: false, deviceScope: undefined, parentScopes: [] };
  }

  async enterParent(): Promise<EnteredParent> {
    await this.#receive('parent');
    return 'entered';
  }

  async invokeMethod(_: DeviceId, name: string): Promise<MethodResult> {
    await this.#receive(`method ${name}`);
    return { kind: 'answered' };
  }

  async countDevices(_: HostName): Promise<number> {
    await this.#receive('count');
    return 1;
  }

  async listTwins(): Promise<TwinPage> {
    await this.#receive('query');
    const { version, etag } = this.twin();
    return { twins: [{ id: ID, version, etag }], continuation: undefined };
  }

  async beat(): Promise<void> {
    await this.#receive('beat');
  }

  /** What the hub says of every device. */
  activity: ListedActivity | undefined;

  async readActivity(_: HostName, { deviceIds }: ActivityQuestion): Promise<ActivityPage> {
    await this.#receive(`activity of ${deviceIds.join(' ')}`);
    const { activity } = this;
    const devices = activity === undefined ? [] : deviceIds.map((id) => [id, activity] as const);
    return { readAt: instantOf(this.#now()), devices: new Map(devices) };
  }

  /** Throws a failure that comes before the effect; gives back one that comes after. */
  async #receive(call: string): Promise<Failure | undefined> {
    this.calls.push(call);
    await this.meanwhile?.();
    if (this.status !== 'enabled') throw this.#error({ code: 'BERTH_HUB_NOT_FOUND' });
    const failure = this.failures.shift();
    if (failure !== undefined && failure.applied !== true) throw this.#error(failure);
    return failure;
  }

  #error({ code, applied, retryAfterMs }: Failure): HubError {
    const mayHaveApplied = applied ?? (code === 'BERTH_HUB_TIMEOUT' || code === 'BERTH_HUB_UNAVAILABLE');
    return new HubError(code, `${ID.host} failed`, { host: ID.host, mayHaveApplied, retryAfterMs });
  }

  #emitUpdate(change: Omit<Extract<TwinEvent, { kind: 'update' }>['change'], 'version'>): TwinEvent {
    const version = this.twin().version;
    return this.#emit({
      kind: 'update',
      id: ID,
      time: instantOf(this.#now()),
      change: { ...change, version },
    });
  }

  #emit(event: TwinEvent): TwinEvent {
    this.events.push(event);
    return event;
  }
}

/** The metadata of a patch: when each property of it was written. */
function stamped(patch: JsonObject, time: Instant): JsonObject {
  const below = Object.entries(patch).map(([key, value]) => [
    key,
    isObject(value) ? stamped(value, time) : { $lastUpdated: time },
  ]);
  return { $lastUpdated: time, ...Object.fromEntries(below) };
}
