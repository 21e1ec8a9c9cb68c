import { X509Certificate } from 'node:crypto';
import type { JsonObject } from '../../../src/json/json.ts';

/** `X509CertificateInfo` of the service API of DPS. */
export function describeCertificate(certificate: X509Certificate): JsonObject {
  return {
    subjectName: nameOf(certificate.subject),
    sha1Thumbprint: thumbprint(certificate.fingerprint),
    sha256Thumbprint: thumbprint(certificate.fingerprint256),
    issuerName: nameOf(certificate.issuer),
    notBeforeUtc: new Date(certificate.validFrom).toISOString(),
    notAfterUtc: new Date(certificate.validTo).toISOString(),
    serialNumber: certificate.serialNumber,
    version: 3,
  };
}

/** The digits of a fingerprint without its colons. */
export function thumbprint(fingerprint: string): string {
  return fingerprint.replaceAll(':', '');
}

/** A certificate as PEM, from PEM or from base64 of DER; undefined if the text is not a certificate. */
export function pemOf(text: string): string | undefined {
  const bytes = text.includes('-----BEGIN') ? text : Buffer.from(text, 'base64');
  try {
    return new X509Certificate(bytes).toString();
  } catch {
    return undefined;
  }
}

/** `X509CertificateWithInfo` of the service API. */
export function certificateTexts(pem: string): JsonObject {
  return { certificate: pem, info: describeCertificate(new X509Certificate(pem)) };
}

function nameOf(lines: string): string {
  return lines.split('\n').join(', ');
}
