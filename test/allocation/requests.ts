import { type AllocationRequest, parseAllocationRequest } from '../../src/allocation/request/request.ts';
import { parseFleet } from '../../src/fleet/file/parse.ts';
import type { Fleet, Models } from '../../src/fleet/fleet.ts';

/** A request as DPS sends it for a symmetric-key group (capture in concepts-custom-allocation, 2022-09). */
export const CAPTURED = {
  enrollmentGroup: {
    enrollmentGroupId: 'contoso-custom-allocated-devices',
    attestation: { type: 'symmetricKey' },
    capabilities: { iotEdge: false },
    etag: '"13003fea-0000-0300-0000-62d1d5e50000"',
    provisioningStatus: 'enabled',
    reprovisionPolicy: { updateHubAssignment: true, migrateDeviceData: true },
    createdDateTimeUtc: '2022-07-05T21:27:16.8123235Z',
    lastUpdatedDateTimeUtc: '2022-07-15T21:02:29.5922255Z',
    allocationPolicy: 'custom',
    iotHubs: ['weu.azure-devices.net', 'eus.azure-devices.net', 'sea.azure-devices.net'],
    customAllocationDefinition: {
      webhookUrl: 'https://custom-allocation-function-app-3.azurewebsites.net/api/HttpTrigger1?****',
      apiVersion: '2021-10-01',
    },
  },
  deviceRuntimeContext: { registrationId: 'breakroom499-contoso-tstrsd-007', symmetricKey: {} },
  linkedHubs: ['weu.azure-devices.net', 'eus.azure-devices.net', 'sea.azure-devices.net'],
};

export const HOSTS = CAPTURED.linkedHubs;

export interface RequestOptions {
  readonly context?: Readonly<Record<string, unknown>>;
  readonly group?: Readonly<Record<string, unknown>>;
  readonly linkedHubs?: readonly string[];
}

/** The captured request with some of it replaced. */
export function requestOf({ context, group, linkedHubs }: RequestOptions = {}): AllocationRequest {
  return parseAllocationRequest({
    enrollmentGroup: { ...CAPTURED.enrollmentGroup, ...group },
    deviceRuntimeContext: { ...CAPTURED.deviceRuntimeContext, ...context },
    linkedHubs: linkedHubs ?? CAPTURED.linkedHubs,
  });
}

/** Three hubs in as many residencies, with these parts of the file replaced. */
export function fleetOf(
  parts: {
    readonly hubs?: Readonly<Record<string, object>>;
    readonly allocation?: object;
    readonly twins?: object;
    readonly models?: Models;
  } = {},
): Fleet {
  const hub = (name: string, region: string, residency: string) => ({
    host: `${name}.azure-devices.net`,
    region,
    tier: 'S1',
    labels: { residency },
    ...parts.hubs?.[name],
  });
  const parsed = parseFleet(
    JSON.stringify({
      hubs: [hub('weu', 'westeurope', 'eu'), hub('eus', 'eastus', 'us'), hub('sea', 'southeastasia', 'sg')],
      allocation: parts.allocation ?? {},
      twins: parts.twins ?? {},
    }),
    parts.models,
  );
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.fleet;
}
