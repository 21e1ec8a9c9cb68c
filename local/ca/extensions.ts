import { createHash, type KeyObject } from 'node:crypto';
import { isIPv4 } from 'node:net';
import { bits, contextBytes, contextField, identifier, integer, isTrue, octets, sequence } from './der.ts';

/* The extensions of certificates and revocation lists (RFC 5280, 4.2 and 5.2). */

/** Object identifiers of extensions. */
export const OID = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  crlNumber: '2.5.29.20',
  crlDistributionPoints: '2.5.29.31',
  authorityKeyIdentifier: '2.5.29.35',
  extKeyUsage: '2.5.29.37',
} as const;

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
/** Tags of the kinds of a GeneralName. */
const DNS_NAME = 2;
const URI = 6;
const IP_ADDRESS = 7;

/** The certificate may issue others, and revocation lists. */
export const issuerExtensions = (): readonly Buffer[] => [
  critical(OID.basicConstraints, sequence(isTrue())),
  // keyCertSign and cRLSign, the bits 5 and 6.
  critical(OID.keyUsage, bits(Buffer.of(0b0000_0110), 1)),
];

/** The certificate is for one end of TLS. */
export const leafExtensions = (end: 'server' | 'client'): readonly Buffer[] => [
  critical(OID.basicConstraints, sequence()),
  // digitalSignature, the bit 0.
  critical(OID.keyUsage, bits(Buffer.of(0b1000_0000), 7)),
  extension(OID.extKeyUsage, sequence(identifier(end === 'server' ? SERVER_AUTH : CLIENT_AUTH))),
];

/** The names and addresses of a server. */
export const alternativeNames = (names: readonly string[], addresses: readonly string[]): Buffer =>
  extension(
    OID.subjectAltName,
    sequence(
      ...names.map((name) => contextBytes(DNS_NAME, Buffer.from(name))),
      ...addresses.map((address) => contextBytes(IP_ADDRESS, bytesOfAddress(address))),
    ),
  );

/** Where the revocation list of the issuer is. */
export const revocationListAt = (url: string): Buffer =>
  extension(OID.crlDistributionPoints, distributionPoints(url));

/** The value of the extension that {@link revocationListAt} makes. */
export const distributionPoints = (url: string): Buffer =>
  sequence(sequence(contextField(0, contextField(0, contextBytes(URI, Buffer.from(url))))));

export const subjectKeyIdentifier = (key: KeyObject): Buffer =>
  extension(OID.subjectKeyIdentifier, octets(hashOf(key)));

export const authorityKeyIdentifier = (key: KeyObject): Buffer =>
  extension(OID.authorityKeyIdentifier, sequence(contextBytes(0, hashOf(key))));

/** The number of a revocation list. */
export const crlNumber = (number: number): Buffer => extension(OID.crlNumber, integer(number));

const extension = (oid: string, value: Uint8Array): Buffer => sequence(identifier(oid), octets(value));
const critical = (oid: string, value: Uint8Array): Buffer =>
  sequence(identifier(oid), isTrue(), octets(value));

/** The SHA-1 hash of the point of a public key on P-256 (RFC 5280, 4.2.1.2, method 1). */
function hashOf(key: KeyObject): Buffer {
  const point = key.export({ type: 'spki', format: 'der' }).subarray(-65);
  return createHash('sha1').update(point).digest();
}

/** Four or sixteen bytes. @param address IPv4, or IPv6 with or without `::`. */
function bytesOfAddress(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  const [before = [], after] = address
    .split('::')
    .map((part) => part.split(':').filter((group) => group !== ''));
  const zeros = after === undefined ? [] : Array<string>(8 - before.length - after.length).fill('0');
  const groups = [...before, ...zeros, ...(after ?? [])].map((group) => Number.parseInt(group, 16));
  return Buffer.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}
