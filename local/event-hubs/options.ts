import { LocalError } from '../errors.ts';
import type { LocalLog } from '../log.ts';
import type { EventHubPolicy } from './access-key.ts';
import type { Retention } from './partition.ts';

/** One event hub. It always has the consumer group `$Default`. */
export interface EventHubOptions {
  readonly name: string;
  readonly partitionCount: number;
  readonly consumerGroups: readonly string[];
  /** Limits for each partition of this event hub; default: those of all. */
  readonly retention?: Partial<Retention> | undefined;
  /** Shared access policies of this event hub, besides the one of the namespace. Default: none. */
  readonly policies?: readonly EventHubPolicy[] | undefined;
}

export interface EventHubsOptions {
  /** TCP port on loopback; 0 selects a free one. */
  readonly port: number;
  /** Folder with one journal for each partition; absent: in memory only. */
  readonly directory?: string | undefined;
  readonly hubs: readonly EventHubOptions[];
  /** Limits for each partition; default 100,000 events, 24 hours, 64 MiB. */
  readonly retention?: Partial<Retention> | undefined;
  readonly log?: LocalLog | undefined;
  /** The clock, in milliseconds since the epoch; default `Date.now`. */
  readonly now?: (() => number) | undefined;
}

export const DEFAULT_CONSUMER_GROUP = '$Default';

export const DEFAULT_RETENTION: Retention = { events: 100_000, ms: 24 * 3_600_000, bytes: 64 * 1024 * 1024 };

/** Partitions of one event hub in the standard tier (azure-docs, event-hubs-quotas). */
const MAX_PARTITIONS = 32;
/**
 * Characters of the name of an event hub and of a consumer group (azure-docs, resource-name-rules:
 * Microsoft.EventHub).
 */
const MAX_HUB_NAME = 256;
const MAX_CONSUMER_GROUP_NAME = 50;
const NAME = /^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/i;

/** @throws LocalError `BERTH_LOCAL_EVENT_HUBS_OPTIONS` if Azure would refuse to create such an event hub. */
export function checkHubs(hubs: readonly EventHubOptions[]): void {
  const names = new Set<string>();
  for (const { name, partitionCount, consumerGroups } of hubs) {
    if (!isName(name, MAX_HUB_NAME)) throw refused(`"${name}" is not a valid name of an event hub`);
    if (names.has(name.toLowerCase())) throw refused(`Two event hubs have the name "${name}"`);
    names.add(name.toLowerCase());
    if (!Number.isInteger(partitionCount) || partitionCount < 1 || partitionCount > MAX_PARTITIONS) {
      throw refused(
        `The event hub "${name}" has ${partitionCount} partitions. It must have 1 to ${MAX_PARTITIONS}`,
      );
    }
    for (const group of consumerGroups) {
      if (!isName(group, MAX_CONSUMER_GROUP_NAME) && !isDefaultGroup(group)) {
        throw refused(`"${group}" is not a valid name of a consumer group (event hub "${name}")`);
      }
    }
  }
}

export function isDefaultGroup(name: string): boolean {
  return name.toLowerCase() === DEFAULT_CONSUMER_GROUP.toLowerCase();
}

function isName(name: string, maxLength: number): boolean {
  return name.length <= maxLength && NAME.test(name);
}

function refused(sentence: string): LocalError {
  return new LocalError('BERTH_LOCAL_EVENT_HUBS_OPTIONS', `${sentence}.`);
}
