import { Client, X509AuthenticationProvider } from 'azure-iot-device';
import { Mqtt } from 'azure-iot-device-mqtt';
import type { Assigned } from '../devices/registration.ts';
import type { RegisteredTpmDevice } from '../devices/tpm-device.ts';
import type { OwnDevice } from './credentials.ts';
import { connectionStringOf } from './environment.ts';
import type { RunningStack } from './stack.ts';

/** A token of a TPM is not renewed here. It lasts longer than a person stays. */
const TOKEN_SECONDS = 7 * 24 * 3_600;

/** A registered device. With a TPM, only the TPM can sign its tokens. */
export type OwnAssigned = Assigned & Partial<Pick<RegisteredTpmDevice, 'authentication'>>;

/**
 * A client of Microsoft's SDK that connects to this machine. With a certificate, it needs the options `cert` and `key` before it
 * opens: the SDK ignores the gateway in a connection string with `x509=true`.
 */
export function deviceClient(
  assigned: OwnAssigned,
  own: Pick<OwnDevice, 'key' | 'certificate'>,
  stack: Pick<RunningStack, 'ports'>,
): Client {
  const { hub: host, deviceId } = assigned;
  const gatewayHostName = `localhost:${stack.ports.mqtt}`;
  const signed = assigned.authentication?.(Math.floor(Date.now() / 1_000) + TOKEN_SECONDS, gatewayHostName);
  if (signed !== undefined) return Client.fromAuthenticationProvider(signed, Mqtt);
  if (own.certificate === null)
    return Client.fromConnectionString(connectionStringOf(assigned, own, stack), Mqtt);
  const credentials = { host, deviceId, gatewayHostName };
  return Client.fromAuthenticationProvider(new X509AuthenticationProvider(credentials), Mqtt);
}
