import type { HostName } from '../iot-hub/host-name.ts';
import { type PartitionKey, partitionsOf } from '../store/tables/keys.ts';
import { isNewer, type TwinRecord, type TwinStore } from '../store/twins/twin-store.ts';
import { type Redaction, redactKept } from '../twin/events/redact.ts';
import { AGENT_MODULE, HUB_MODULE, isRuntimeModule } from '../twin/snapshot/runtime-twin.ts';
import type { Snapshot } from '../twin/snapshot/snapshot.ts';

/** What is stored of one IoT Edge device. */
export interface StoredEdgeDevice {
  readonly host: HostName;
  readonly deviceId: string;
  /** Undefined: its device twin is not stored, or was deleted. */
  readonly device: Snapshot | undefined;
  readonly agent: Snapshot | undefined;
  readonly hub: Snapshot | undefined;
}

type Twins = Pick<TwinStore, 'page' | 'load'>;

/** Twins that are read from a partition at a time. */
const PAGE = 200;

/** The IoT Edge devices of these hubs, hub by hub, in the order of their ids inside a partition. Calls no hub. */
export async function* edgeDevicesOf(
  twins: Twins,
  hosts: readonly HostName[],
  redaction: Redaction,
): AsyncGenerator<StoredEdgeDevice> {
  for (const partition of hosts.flatMap((host) => partitionsOf(host))) {
    const found = new Map<string, Snapshot[]>();
    for await (const snapshot of snapshotsIn(twins, partition)) {
      const { deviceId, moduleId } = snapshot.id;
      const isOfEdge = moduleId === undefined ? snapshot.isEdge === true : isRuntimeModule(moduleId);
      if (isOfEdge) found.set(deviceId, [...(found.get(deviceId) ?? []), redactKept(snapshot, redaction)]);
    }
    for (const snapshots of found.values()) {
      const stored = grouped(snapshots);
      if (stored !== undefined) yield stored;
    }
  }
}

/** One IoT Edge device, on each hub that has it. */
export async function storedEdgeDevice(
  twins: Pick<TwinStore, 'load'>,
  hosts: readonly HostName[],
  deviceId: string,
  redaction: Redaction,
): Promise<readonly StoredEdgeDevice[]> {
  const all = await Promise.all(
    hosts.map((host) =>
      Promise.all(
        [undefined, AGENT_MODULE, HUB_MODULE].map((moduleId) => twins.load({ host, deviceId, moduleId })),
      ),
    ),
  );
  return all.flatMap((records: readonly TwinRecord[]) => {
    const snapshots = records.flatMap(({ known }) =>
      known.kind === 'snapshot' ? [redactKept(known.snapshot, redaction)] : [],
    );
    return grouped(snapshots) ?? [];
  });
}

function grouped(snapshots: readonly Snapshot[]): StoredEdgeDevice | undefined {
  const [first] = snapshots;
  if (first === undefined) return undefined;
  const { host, deviceId } = first.id;
  const of = (moduleId: string | undefined) => snapshots.find(({ id }) => id.moduleId === moduleId);
  return { host, deviceId, device: of(undefined), agent: of(AGENT_MODULE), hub: of(HUB_MODULE) };
}

async function* snapshotsIn(twins: Twins, partition: PartitionKey): AsyncGenerator<Snapshot> {
  let after: string | undefined;
  do {
    const page = await twins.page(partition, after, PAGE);
    for (const record of page) {
      if (!isNewer(record) && record.known.kind === 'snapshot') yield record.known.snapshot;
    }
    after = page.length < PAGE ? undefined : page.at(-1)?.rowKey;
  } while (after !== undefined);
}
