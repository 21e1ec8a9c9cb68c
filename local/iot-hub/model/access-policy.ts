import { DEVELOPMENT_POLICY } from '../../../src/hub/development.ts';

/** The rights of shared access policies (iot-hub-devguide-security.md, "IoT Hub permissions"). */
export type AccessRight = 'RegistryRead' | 'RegistryWrite' | 'ServiceConnect' | 'DeviceConnect';

/** A shared access policy of a hub. */
export interface AccessPolicy {
  readonly keyName: string;
  /** Base64. */
  readonly key: string;
  readonly rights: readonly AccessRight[];
  /** Only for the app: what its roles allow in Azure. It has no rights of a shared access policy. */
  dataActions?(): readonly string[];
}

/**
 * The five policies of a new hub, with their rights. Their keys are public, and the hubs listen only on loopback.
 *
 * @param ownerKey the key of `iothubowner`.
 */
export function builtInPolicies(ownerKey: string = DEVELOPMENT_POLICY.key): readonly AccessPolicy[] {
  return [
    {
      keyName: DEVELOPMENT_POLICY.keyName,
      key: ownerKey,
      rights: ['RegistryRead', 'RegistryWrite', 'ServiceConnect', 'DeviceConnect'],
    },
    { keyName: 'service', key: keyOf('service'), rights: ['ServiceConnect'] },
    { keyName: 'device', key: keyOf('device'), rights: ['DeviceConnect'] },
    { keyName: 'registryRead', key: keyOf('registryRead'), rights: ['RegistryRead'] },
    {
      keyName: 'registryReadWrite',
      key: keyOf('registryReadWrite'),
      rights: ['RegistryRead', 'RegistryWrite'],
    },
  ];
}

/** @example 'berth-local-key-of-service' as base64 */
function keyOf(keyName: string): string {
  return Buffer.from(`berth-local-key-of-${keyName}`).toString('base64');
}
