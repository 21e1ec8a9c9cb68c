/**
 * The local Device Provisioning Service, used where `IOT_ENDPOINT` is set and nothing names another. Public on
 * purpose: it opens nothing but an emulator on this machine.
 */
export const DEVELOPMENT_DPS = {
  host: 'contoso-dps.azure-devices-provisioning.net',
  keyName: 'provisioningserviceowner',
  key: 'YmVydGgtbG9jYWwtZHBzLWRldmVsb3BtZW50LWtleS0wMQ==',
  /** In the place of a token of Azure Resource Manager, for certificates. */
  managementToken: 'berth-local-management',
  resourceId:
    '/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/local/providers/Microsoft.Devices/provisioningServices/contoso-dps',
} as const;
