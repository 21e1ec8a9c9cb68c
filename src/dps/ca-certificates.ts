import { isObject, type JsonObject } from '../json/json.ts';
import { openRestService } from '../rest/service.ts';
import type { managementPlace } from './connection.ts';
import { dpsErrorOf, unexpectedDpsAnswer } from './failure.ts';
import { type CaCertificate, type CaCertificates, DPS_DEADLINE_MS, DpsError } from './port.ts';

/** The newest stable version of Dps Certificate in the REST reference when this was written. */
const API_VERSION = '2022-12-12';

/**
 * Opens the CA certificates of a DPS through Azure Resource Manager. The service SDK has no calls for them,
 * and four calls do not justify another package (`@azure/arm-deviceprovisioningservices`).
 */
export function openCaCertificates(place: ReturnType<typeof managementPlace>): CaCertificates {
  const { host, resourceId } = place;
  const service = openRestService(place, DPS_DEADLINE_MS);
  const send = async (
    method: string,
    name: string,
    { action = '', etag, body }: { action?: string; etag?: string | undefined; body?: JsonObject } = {},
  ): Promise<JsonObject> => {
    const path = `${resourceId}/certificates/${encodeURIComponent(name)}${action}?api-version=${API_VERSION}`;
    const headers = {
      accept: 'application/json',
      ...(body !== undefined && { 'content-type': 'application/json; charset=utf-8' }),
      ...(etag !== undefined && { 'if-match': etag }),
    };
    const result = await service.call({ method, path, headers, body });
    if (!result.ok) throw dpsErrorOf(result.failure);
    const { json } = result.answer;
    if (!isObject(json)) throw unexpectedDpsAnswer(host, method);
    return json;
  };
  const toCertificate = (json: JsonObject): CaCertificate => {
    const { name, etag, properties } = json;
    if (typeof name !== 'string' || typeof etag !== 'string' || !isObject(properties))
      throw unexpectedDpsAnswer(host, 'GET');
    const { isVerified, thumbprint } = properties;
    return { name, etag, isVerified: isVerified === true, thumbprint: String(thumbprint ?? '') };
  };
  const base64 = (pem: string) => Buffer.from(pem, 'utf8').toString('base64');

  return {
    async get(name) {
      try {
        return toCertificate(await send('GET', name));
      } catch (error) {
        if (error instanceof DpsError && error.code === 'BERTH_DPS_NOT_FOUND') return undefined;
        throw error;
      }
    },
    async upload(name, pem, etag) {
      return toCertificate(
        await send('PUT', name, { etag, body: { properties: { certificate: base64(pem) } } }),
      );
    },
    async challenge(name, etag) {
      const json = await send('POST', name, { action: '/generateVerificationCode', etag });
      // The documented answer has no ETag (azure-rest-api-specs, DPSGenerateVerificationCode.json).
      const code = isObject(json.properties) ? json.properties.verificationCode : undefined;
      if (typeof code !== 'string') throw unexpectedDpsAnswer(host, 'POST');
      return code;
    },
    async verify(name, proof, etag) {
      return toCertificate(
        await send('POST', name, { action: '/verify', etag, body: { certificate: base64(proof) } }),
      );
    },
    close: () => service.close(),
  };
}
