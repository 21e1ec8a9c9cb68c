/**
 * The local Device Provisioning Service. Berth uses it if `IOT_ENDPOINT` is set and no setting names another
 * DPS. The key is public on purpose: it opens only an emulator on this machine.
 */
export const DEVELOPMENT_DPS = {
  host: 'contoso-dps.azure-devices-provisioning.net',
  keyName: 'provisioningserviceowner',
  key: 'YmVydGgtbG9jYWwtZHBzLWRldmVsb3BtZW50LWtleS0wMQ==',
  /** Replaces a token of Azure Resource Manager, for certificates. */
  managementToken: 'berth-local-management',
  resourceId:
    '/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/local/providers/Microsoft.Devices/provisioningServices/contoso-dps',
} as const;
