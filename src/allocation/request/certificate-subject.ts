import { X509Certificate } from 'node:crypto';
import * as z from 'zod';
import type { JsonValue } from '../../json/json.ts';
import { namesIn, withExactKeys } from './exact-keys.ts';

/**
 * The possible content of `deviceRuntimeContext.x509`, which no document shows. Registration results of DPS
 * contain `certificateInfo.subjectName`. According to azure-iot-sdk-c issue 1906, custom allocation gets the
 * certificate.
 */
const attestation = z.object({
  certificateInfo: z.object({ subjectName: z.string().optional() }).optional(),
  clientCertificate: z.unknown().optional(),
});
const names = namesIn(attestation) ?? new Map();

/** The subject of the certificate of a device, such as `CN=device-1, O=Contoso`; undefined if not sent. */
export function certificateSubject(x509: unknown): string | undefined {
  if (x509 === undefined) return undefined;
  const parsed = attestation.safeParse(withExactKeys(x509 as JsonValue, names));
  if (!parsed.success) return undefined;
  const { certificateInfo, clientCertificate } = parsed.data;
  return certificateInfo?.subjectName ?? subjectIn(clientCertificate);
}

/** A certificate has about 2 KB; a chain is longer. */
const LONGEST = 64 * 1024;

/** The subject of a certificate in PEM, or in the base64 part of PEM. */
function subjectIn(certificate: unknown): string | undefined {
  if (typeof certificate !== 'string' || certificate.length > LONGEST) return undefined;
  try {
    const encoded = certificate.includes('-----BEGIN') ? certificate : Buffer.from(certificate, 'base64');
    return new X509Certificate(encoded).subject.split('\n').join(', ');
  } catch {
    return undefined;
  }
}
