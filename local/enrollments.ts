import { DEVELOPMENT_DPS } from '../src/dps/development.ts';
import type { Enrollment, EnrollmentGroup } from './dps/index.ts';

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

/** How an enrollment gives devices their hubs, at the first registration and at later ones. */
export type EnrollmentTerms = Pick<
  Enrollment,
  'reprovisionPolicy' | 'allocationPolicy' | 'customAllocationDefinition'
>;

/** The groups of Berth, and of the user's own devices with Berth, begin with this name. */
export const FLEET_GROUP = 'fleet';
/** The groups of the user's own devices without Berth begin with this name. */
export const PLAIN_GROUP = 'devices';

/**
 * The terms of Berth's enrollments: its webhook chooses the hub.
 *
 * @param webhookUrl with its function key as `?code=`, because DPS cannot send headers.
 */
export function berthTerms(webhookUrl: string): EnrollmentTerms {
  return {
    reprovisionPolicy: { updateHubAssignment: true, migrateDeviceData: true },
    allocationPolicy: 'custom',
    customAllocationDefinition: { webhookUrl, apiVersion: '2021-10-01' },
  };
}

/** The terms without Berth, which are the defaults of Azure. */
export const PLAIN_TERMS: EnrollmentTerms = {
  reprovisionPolicy: { updateHubAssignment: true, migrateDeviceData: true },
  allocationPolicy: 'hashed',
};

/**
 * The enrollments of a new local DPS with Berth: one group for devices with keys, one for devices with certificates.
 *
 * @param root PEM of the authority that issues the devices' certificates.
 */
export function localEnrollments(terms: EnrollmentTerms, root: string): readonly EnrollmentGroup[] {
  const group = { ...terms, capabilities: { iotEdge: false } };
  return [
    {
      ...group,
      enrollmentGroupId: FLEET_GROUP,
      attestation: { type: 'symmetricKey', primaryKey: GROUP_KEY, secondaryKey: GROUP_KEY },
    },
    {
      ...group,
      enrollmentGroupId: `${FLEET_GROUP}-x509`,
      attestation: { type: 'x509', certificates: [root] },
    },
  ];
}
