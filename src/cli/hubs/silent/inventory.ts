import { registrationIn } from '../../../dps/dps.ts';
import type { DpsPort, EnrollmentRecord, RegistrationRecord } from '../../../dps/port.ts';
import type { IdentityRegistry } from '../../../hub/identity-registry.ts';
import { isReservedDeviceId } from '../../../iot-hub/heartbeat-device.ts';
import { checkedHostName } from '../../../iot-hub/host-name.ts';
import { ownMember } from '../../../json/json.ts';
import type {
  ListedDevice,
  ListedEnrollment,
  ListedRegistration,
} from '../../../silent-devices/drain-choice.ts';
import type { SeenRegistration } from '../../../silent-devices/next-step.ts';
import type { EpochMs } from '../../../time/epoch-ms.ts';
import type { Cli } from '../../shell/cli.ts';
import { showCount } from '../../shell/progress.ts';
import type { Terminal } from '../../shell/terminal.ts';
import type { Pace } from './pace.ts';

/** The devices of a hub, and what DPS remembers of them. */
export interface Inventory {
  readonly listedAt: EpochMs;
  /** Without the identity of the heartbeat. */
  readonly devices: readonly ListedDevice[];
  /** By device id. Ids of hubs are case-sensitive. */
  readonly registrations: ReadonlyMap<string, ListedRegistration>;
}

/**
 * Lists the devices of a hub, and their registration records through all enrollments.
 *
 * @throws HubError, DpsError
 */
export async function readInventory(
  registry: IdentityRegistry,
  dps: DpsPort,
  pace: Pace,
  { terminal, now }: Pick<Cli, 'terminal' | 'now'>,
): Promise<Inventory> {
  const listedAt = now();
  const devices = await listDevices(registry, pace, terminal);
  const registrations = await listRegistrations(
    dps,
    pace,
    new Set(devices.map(({ deviceId }) => deviceId)),
    terminal,
  );
  return { listedAt, devices, registrations };
}

async function listDevices(registry: IdentityRegistry, pace: Pace, terminal: Terminal) {
  const devices: ListedDevice[] = [];
  const progress = showCount(terminal, 'devices listed');
  let continuation: string | undefined;
  try {
    do {
      await pace.query();
      const page = await registry.list(continuation);
      devices.push(...page.devices.filter(({ deviceId }) => !isReservedDeviceId(deviceId)));
      progress.show(devices.length);
      continuation = page.continuation;
    } while (continuation !== undefined);
  } finally {
    progress.end();
  }
  return devices;
}

async function listRegistrations(
  dps: DpsPort,
  pace: Pace,
  deviceIds: ReadonlySet<string>,
  terminal: Terminal,
): Promise<ReadonlyMap<string, ListedRegistration>> {
  const found = new Map<string, ListedRegistration>();
  const add = (record: RegistrationRecord | undefined, enrollment: ListedEnrollment) => {
    if (record === undefined) return;
    // A failed registration names no device. The device id is then nearly always the registration id.
    const deviceId = record.deviceId ?? record.registrationId;
    const known = found.get(deviceId);
    if (!deviceIds.has(deviceId) || (known !== undefined && known.updatedAt >= record.updatedAt)) return;
    found.set(deviceId, { registrationId: record.registrationId, enrollment, ...seenRegistration(record) });
  };
  const progress = showCount(terminal, 'registration records read');
  let read = 0;
  try {
    await pace.dps();
    for (const group of await dps.list('group')) {
      const enrollment = enrollmentOf(group);
      await pace.dps();
      for await (const records of dps.registrations(group.id)) {
        for (const record of records) add(record, enrollment);
        read += records.length;
        progress.show(read);
        await pace.dps();
      }
    }
    for (const individual of await dps.list('individual')) {
      add(await individualRecord(dps, pace, individual, deviceIds), enrollmentOf(individual));
      read += 1;
      progress.show(read);
    }
  } finally {
    progress.end();
  }
  return found;
}

/** The specification lets DPS leave the record out of a list. */
async function individualRecord(
  dps: DpsPort,
  pace: Pace,
  enrollment: EnrollmentRecord,
  deviceIds: ReadonlySet<string>,
): Promise<RegistrationRecord | undefined> {
  const listed = registrationIn(enrollment);
  const deviceId = ownMember(enrollment.json, 'deviceId');
  if (listed !== undefined || !deviceIds.has(typeof deviceId === 'string' ? deviceId : enrollment.id))
    return listed;
  await pace.dps();
  return dps.registration(enrollment.id);
}

/** What a record says of the hub of its device, by the identity of the hub. */
export function seenRegistration({ assignedHub, status, updatedAt }: RegistrationRecord): SeenRegistration {
  return { status, host: assignedHub === undefined ? undefined : checkedHostName(assignedHub), updatedAt };
}

/** The defaults are those of the service API: an enrollment without a policy reprovisions, and is enabled. */
function enrollmentOf({ json }: EnrollmentRecord): ListedEnrollment {
  const { iotHubs, iotHubHostName } = json;
  const hubs = Array.isArray(iotHubs) ? iotHubs : [];
  const names = [...hubs, iotHubHostName].filter((name) => typeof name === 'string' && name !== '');
  return {
    isEnabled: json.provisioningStatus !== 'disabled',
    isCustom: json.allocationPolicy === 'custom',
    reprovisions: ownMember(json.reprovisionPolicy, 'updateHubAssignment') !== false,
    hubs: names.map((name) => checkedHostName(String(name))),
  };
}
