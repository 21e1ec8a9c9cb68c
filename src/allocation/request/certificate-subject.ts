import { X509Certificate } from 'node:crypto';
import * as z from 'zod';
import type { JsonValue } from '../../json/json.ts';
import { namesIn, withExactKeys } from './exact-keys.ts';

/**
 * What `deviceRuntimeContext.x509` may hold. No document shows it; registration results of DPS carry
 * `certificateInfo.subjectName`, and its custom allocation is said to see the certificate itself
 * (azure-iot-sdk-c issue 1906).
 */
const attestation = z.object({
  certificateInfo: z.object({ subjectName: z.string().optional() }).optional(),
  clientCertificate: z.unknown().optional(),
});
const names = namesIn(attestation) ?? new Map();

/** The subject of the certificate that a device has shown, as `CN=device-1, O=Contoso`; undefined: not sent. */
export function certificateSubject(x509: unknown): string | undefined {
  if (x509 === undefined) return undefined;
  const parsed = attestation.safeParse(withExactKeys(x509 as JsonValue, names));
  if (!parsed.success) return undefined;
  const { certificateInfo, clientCertificate } = parsed.data;
  return certificateInfo?.subjectName ?? subjectIn(clientCertificate);
}

/** A certificate is some 2 KB; a chain of them is longer. */
const LONGEST = 64 * 1024;

/** Of a certificate as PEM, or as the base64 between its two lines. */
function subjectIn(certificate: unknown): string | undefined {
  if (typeof certificate !== 'string' || certificate.length > LONGEST) return undefined;
  try {
    const encoded = certificate.includes('-----BEGIN') ? certificate : Buffer.from(certificate, 'base64');
    return new X509Certificate(encoded).subject.split('\n').join(', ');
  } catch {
    return undefined;
  }
}
