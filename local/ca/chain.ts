import type { X509Certificate } from 'node:crypto';

/** Longest chain between the certificate of a device and a trusted one. */
const MAX_CHAIN = 10;

/**
 * Follows the certificates that a device has sent from the leaf to a trusted certificate, and returns the latter;
 * undefined if there is none. Each certificate must be valid now.
 *
 * @param sent the certificates after the leaf, in any order.
 * @param now milliseconds since the epoch.
 */
export function signerOf(
  leaf: X509Certificate,
  sent: readonly X509Certificate[],
  trusted: readonly X509Certificate[],
  now: number,
): X509Certificate | undefined {
  let child = leaf;
  for (let step = 0; step < MAX_CHAIN; step += 1) {
    const issued = (parent: X509Certificate) =>
      parent.ca && isValidAt(parent, now) && isSignedByAuthority(child, parent);
    const signer = trusted.find(issued);
    if (signer !== undefined) return signer;
    const next = sent.find(issued);
    if (next === undefined) return undefined;
    child = next;
  }
  return undefined;
}

/** Whether a certificate is valid at a time, in milliseconds since the epoch. */
export function isValidAt(certificate: X509Certificate, now: number): boolean {
  return Date.parse(certificate.validFrom) <= now && now < Date.parse(certificate.validTo);
}

function isSignedByAuthority(child: X509Certificate, parent: X509Certificate): boolean {
  return child.checkIssued(parent) && child.verify(parent.publicKey);
}

/** The common name of a certificate's subject; undefined if it has none or several. */
export function commonName(certificate: X509Certificate): string | undefined {
  const { subject } = certificate.toLegacyObject();
  const name: unknown = (subject as unknown as Record<string, unknown> | undefined)?.CN;
  return typeof name === 'string' ? name : undefined;
}
