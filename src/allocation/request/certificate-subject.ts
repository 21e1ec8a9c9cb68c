import { X509Certificate } from 'node:crypto';
import { isObject, type JsonValue, ownMember } from '../../json/json.ts';
import { memberNames, withExactKeys } from './exact-keys.ts';

/**
 * The possible content of `deviceRuntimeContext.x509`, which no document shows. Registration results of DPS
 * contain `certificateInfo.subjectName`. According to azure-iot-sdk-c issue 1906, custom allocation gets the
 * certificate.
 */
const NAMES = memberNames({ certificateInfo: { subjectName: null }, clientCertificate: null });

/** The subject of the certificate of a device, such as `CN=device-1, O=Contoso`; undefined if not sent. */
export function certificateSubject(x509: JsonValue | undefined): string | undefined {
  if (x509 === undefined) return undefined;
  const attestation = withExactKeys(x509, NAMES);
  const info = ownMember(attestation, 'certificateInfo');
  const subject = ownMember(info, 'subjectName');
  // Another shape is not that of a certificate.
  const isKnown =
    info === undefined || (isObject(info) && (subject === undefined || typeof subject === 'string'));
  if (!isKnown) return undefined;
  return typeof subject === 'string' ? subject : subjectIn(ownMember(attestation, 'clientCertificate'));
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
