import { DEVELOPMENT_DPS } from '../src/dps/development.ts';
import type { EnrollmentGroup } from './dps/index.ts';

/** Id scope and host of the local DPS. */
export const ID_SCOPE = '0ne00BE447A';
export const DPS_HOST: string = DEVELOPMENT_DPS.host;

/**
 * Group key of the simulated devices. The key of each device is derived from it. It is public and gives access
 * only to this emulator.
 */
export const GROUP_KEY = Buffer.from('berth-local-enrollment-group-key-of-simulated-devices').toString(
  'base64',
);

/**
 * The enrollments of a new local DPS: one group for devices with keys, one for devices with certificates. Both call
 * Berth's webhook.
 *
 * @param webhookUrl with its function key as `?code=`, because DPS cannot send headers.
 * @param root PEM of the authority that issues the devices' certificates.
 */
export function localEnrollments(webhookUrl: string, root: string): readonly EnrollmentGroup[] {
  const terms = {
    capabilities: { iotEdge: false },
    reprovisionPolicy: { updateHubAssignment: true, migrateDeviceData: true },
    allocationPolicy: 'custom',
    customAllocationDefinition: { webhookUrl, apiVersion: '2021-10-01' },
  } as const;
  return [
    {
      ...terms,
      enrollmentGroupId: 'fleet',
      attestation: { type: 'symmetricKey', primaryKey: GROUP_KEY, secondaryKey: GROUP_KEY },
    },
    { ...terms, enrollmentGroupId: 'fleet-x509', attestation: { type: 'x509', certificates: [root] } },
  ];
}
