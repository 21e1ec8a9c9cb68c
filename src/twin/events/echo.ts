import type { Instant } from '../../time/instant.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { TwinEvent } from './event.ts';

/** A write of Berth to one twin. */
export interface OwnChange {
  /** The desired version that it made. */
  readonly desiredVersion: number;
  /** The hub's time of the write. */
  readonly at: Instant;
}

/**
 * The writes of Berth whose event this is (their echo). An event that the hub has merged with a later change counts too: it holds
 * the property in a later version.
 *
 * @param snapshot as it was before the event. It holds the answer to the write.
 */
export function echoesIn(snapshot: Snapshot, event: TwinEvent): readonly OwnChange[] {
  const section = event.kind === 'update' ? event.change.desired : undefined;
  if (section === undefined) return [];
  const found = ownChanges(snapshot).filter(
    ({ key, desiredVersion }) => desiredVersion <= section.version && Object.hasOwn(section.values, key),
  );
  return distinct(found);
}

/** The last writes of Berth to the properties of these paths. */
export function lastOwnChanges(
  snapshot: Snapshot,
  paths: readonly (readonly string[])[],
): readonly OwnChange[] {
  const keys = new Set(paths.map((path) => path.join('.')));
  return distinct(ownChanges(snapshot).filter(({ path }) => keys.has(path)));
}

interface OwnChangeOfPath extends OwnChange {
  /** With dots. */
  readonly path: string;
  /** Its first key. */
  readonly key: string;
}

function ownChanges({ paths }: Snapshot): readonly OwnChangeOfPath[] {
  return Object.entries(paths).flatMap(
    ([
      path,
      {
        ours,
        oursAt,
        writes: [last],
      },
    ]) => {
      // Else another writer has changed the property since.
      if (last === undefined || last.at !== oursAt) return [];
      return [{ path, key: path.split('.', 1)[0] ?? path, desiredVersion: ours, at: last.at }];
    },
  );
}

function distinct(changes: readonly OwnChange[]): readonly OwnChange[] {
  const byVersion = new Map(
    changes.map(({ desiredVersion, at }) => [desiredVersion, { desiredVersion, at }]),
  );
  return [...byVersion.values()];
}
