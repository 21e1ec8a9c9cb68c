import { Agent } from 'node:https';
import { SharedAccessSignatureAuthenticationProvider } from 'azure-iot-device';
import { Http as HttpBase } from 'azure-iot-http-base';
import { ProvisioningDeviceClient, type RegistrationResult } from 'azure-iot-provisioning-device';
import type { TpmSecurityClient } from 'azure-iot-provisioning-device/dist/interfaces.js';
import { Http } from 'azure-iot-provisioning-device-http';
import type { JsonObject } from '../../src/json/json.ts';
import { createSimulatedTpm, type SimulatedTpm, type TpmKeys } from '../tpm/index.ts';
import type { Assigned } from './registration.ts';

export interface TpmRegistrationOptions {
  readonly registrationId: string;
  /** From `generateTpmKeys`. Store them: they are the device. */
  readonly keys: TpmKeys;
  readonly payload: JsonObject;
  readonly idScope: string;
  /** PEM of the root of the local stack. */
  readonly ca: string;
  readonly httpsPort: number;
}

/** A registered device with a simulated TPM. */
export interface RegisteredTpmDevice extends Assigned {
  /**
   * For `Client.fromAuthenticationProvider` of azure-iot-device: a token for the hub, signed by the TPM.
   *
   * @param expiry Seconds since the epoch.
   * @param gatewayHostName Where the hub listens, such as `localhost:8883`.
   */
  authentication(expiry: number, gatewayHostName: string): SharedAccessSignatureAuthenticationProvider;
}

/** The endorsement key of these keys in base64, for an individual enrollment. */
export function endorsementKeyOf(keys: TpmKeys): string {
  return createSimulatedTpm(keys).endorsementKey.toString('base64');
}

/**
 * Registers a device with a simulated TPM over HTTPS, with Microsoft's SDK. Its individual enrollment must have its
 * endorsement key. Rejects if DPS refuses the device or does not answer.
 */
export async function registerWithTpm(options: TpmRegistrationOptions): Promise<RegisteredTpmDevice> {
  const { registrationId, keys, payload, idScope, ca, httpsPort } = options;
  const tpm = createSimulatedTpm(keys);
  const base = new HttpBase();
  const agent = new Agent({ port: httpsPort, ca });
  base.setOptions({ http: { agent } });
  const transport = new Http(base as unknown as ConstructorParameters<typeof Http>[0]);
  const security = createTpmSecurity(registrationId, tpm);
  const client = ProvisioningDeviceClient.create('localhost', idScope, transport, security);
  client.setProvisioningPayload({ ...payload });
  try {
    const result = await client.register();
    if (result === undefined) throw new Error('DPS returned no result.');
    // For a TPM, the SDK returns the whole answer, unlike its types.
    const answer = result as { readonly registrationState?: RegistrationResult };
    const { assignedHub: hub, deviceId, payload: returned } = answer.registrationState ?? result;
    return {
      hub,
      deviceId,
      payload: returned,
      authentication(expiry, gatewayHostName) {
        const resource = `${hub}/devices/${encodeURIComponent(deviceId)}`;
        const sharedAccessSignature = signedToken(tpm, resource, expiry);
        const credentials = { host: hub, deviceId, gatewayHostName, sharedAccessSignature };
        return new SharedAccessSignatureAuthenticationProvider(credentials);
      },
    };
  } finally {
    agent.destroy();
  }
}

/**
 * The security client of a simulated TPM, in place of azure-iot-security-tpm, which needs a TPM of the system. It answers
 * later, as a real TPM does.
 */
export function createTpmSecurity(registrationId: string, tpm: SimulatedTpm): TpmSecurityClient {
  return {
    getRegistrationId: (callback) => answer(callback, () => registrationId),
    getEndorsementKey: (callback) => answer(callback, () => tpm.endorsementKey),
    getStorageRootKey: (callback) => answer(callback, () => tpm.storageRootKey),
    activateIdentityKey: (key, callback) => answer(callback, () => tpm.activateIdentityKey(key)),
    signWithIdentity: (toSign, callback) => answer(callback, () => tpm.sign(toSign)),
  };
}

/** The SDK wants `null` in the place of an error, but its types do not. */
type Callback<Result> = (error: Error, result?: Result) => void;

function answer<Result>(callback: Callback<Result>, compute: () => Result): void {
  setImmediate(() => {
    try {
      callback(null as unknown as Error, compute());
    } catch (error) {
      callback(error instanceof Error ? error : new Error(String(error)));
    }
  });
}

function signedToken(tpm: SimulatedTpm, resource: string, expiry: number): string {
  const sr = encodeURIComponent(resource);
  const sig = encodeURIComponent(tpm.sign(Buffer.from(`${sr}\n${expiry}`)).toString('base64'));
  return `SharedAccessSignature sr=${sr}&sig=${sig}&se=${expiry}`;
}
