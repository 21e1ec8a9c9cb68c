import 'reflect-metadata';
import { createPrivateKey, KeyObject, webcrypto, X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';

x509.cryptoProvider.set(webcrypto);

const DAY_MS = 86_400_000;
const KEY_ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
/** Certificates are valid from this long before now, so that a device with a slow clock accepts them. */
const BACKDATED_MS = 5 * 60_000;

/**
 * A certificate with its private key, both PEM. `certificate` holds the leaf first, then its issuers without
 * the root.
 */
export interface KeyedCertificate {
  readonly certificate: string;
  readonly key: string;
}

interface SigningParams {
  readonly commonName: string;
  readonly days: number;
  readonly now: number;
}

/** Makes a self-signed certificate that may issue others. */
export async function createRoot({ commonName, days, now }: SigningParams): Promise<KeyedCertificate> {
  const keys = (await webcrypto.subtle.generateKey(KEY_ALGORITHM, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: nameOf(commonName),
    keys,
    signingAlgorithm: KEY_ALGORITHM,
    notBefore: new Date(now - BACKDATED_MS),
    notAfter: new Date(now + days * DAY_MS),
    extensions: [...issuerExtensions(), await x509.SubjectKeyIdentifierExtension.create(keys.publicKey)],
  });
  return { certificate: pemOf(certificate), key: keyPem(keys.privateKey) };
}

/** What a certificate may be used for. */
export type Usage =
  | { readonly kind: 'issuer' }
  | { readonly kind: 'client' }
  | {
      readonly kind: 'server';
      readonly names: readonly string[];
      readonly addresses: readonly string[];
      /** URL of the revocation list; absent: the certificate names none. */
      readonly revocationList?: string | undefined;
    };

/** Makes a certificate signed by `issuer`. It expires when the issuer expires, or earlier. */
export async function createSigned(
  issuer: KeyedCertificate,
  usage: Usage,
  { commonName, days, now }: SigningParams,
): Promise<KeyedCertificate> {
  const issuerCertificate = new x509.X509Certificate(issuer.certificate);
  const keys = (await webcrypto.subtle.generateKey(KEY_ALGORITHM, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair;
  const certificate = await x509.X509CertificateGenerator.create({
    subject: nameOf(commonName),
    issuer: issuerCertificate.subjectName,
    publicKey: keys.publicKey,
    signingKey: await signingKeyOf(issuer.key),
    signingAlgorithm: KEY_ALGORITHM,
    notBefore: new Date(now - BACKDATED_MS),
    notAfter: new Date(Math.min(now + days * DAY_MS, issuerCertificate.notAfter.getTime())),
    extensions: [
      ...usageExtensions(usage),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuerCertificate.publicKey),
    ],
  });
  const issuers = isSelfSigned(issuer.certificate) ? '' : issuer.certificate;
  return { certificate: pemOf(certificate) + issuers, key: keyPem(keys.privateKey) };
}

/** Whether certificate and key match and the certificate is valid for `days` more days. */
export function isUsable({ certificate, key }: KeyedCertificate, now: number, days: number): boolean {
  const parsed = new X509Certificate(certificate);
  return (
    parsed.checkPrivateKey(createPrivateKey(key)) &&
    Date.parse(parsed.validFrom) <= now &&
    Date.parse(parsed.validTo) > now + days * DAY_MS
  );
}

/** Whether `issuer` has signed `certificate`. */
export function isIssuedBy(certificate: string, issuer: string): boolean {
  const parent = new X509Certificate(issuer);
  const child = new X509Certificate(certificate);
  return child.checkIssued(parent) && child.verify(parent.publicKey);
}

function isSelfSigned(certificate: string): boolean {
  return isIssuedBy(certificate, certificate);
}

/** A structured name. In a text form, a registration id could add further attributes. */
function nameOf(commonName: string): x509.JsonName {
  return [{ CN: [commonName] }];
}

function usageExtensions(usage: Usage): x509.Extension[] {
  if (usage.kind === 'issuer') return issuerExtensions();
  const { clientAuth, serverAuth } = x509.ExtendedKeyUsage;
  const leaf = [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([usage.kind === 'server' ? serverAuth : clientAuth]),
  ];
  if (usage.kind === 'client') return leaf;
  const names = usage.names.map((value) => ({ type: 'dns' as const, value }));
  const addresses = usage.addresses.map((value) => ({ type: 'ip' as const, value }));
  const { revocationList } = usage;
  return [
    ...leaf,
    new x509.SubjectAlternativeNameExtension([...names, ...addresses]),
    ...(revocationList === undefined ? [] : [new x509.CRLDistributionPointsExtension([revocationList])]),
  ];
}

/** Object identifier of the number of a revocation list, and the number 1 in DER (RFC 5280, 5.2.3). */
const CRL_NUMBER = '2.5.29.20';
const ONE = new Uint8Array([0x02, 0x01, 0x01]);

/** Makes an empty revocation list (DER) of an issuer. */
export async function createRevocationList(
  issuer: KeyedCertificate,
  { days, now }: Pick<SigningParams, 'days' | 'now'>,
): Promise<Buffer> {
  const certificate = new x509.X509Certificate(issuer.certificate);
  const list = await x509.X509CrlGenerator.create({
    issuer: certificate.subjectName,
    thisUpdate: new Date(now - BACKDATED_MS),
    nextUpdate: new Date(now + days * DAY_MS),
    signingAlgorithm: KEY_ALGORITHM,
    signingKey: await signingKeyOf(issuer.key),
    entries: [],
    extensions: [
      await x509.AuthorityKeyIdentifierExtension.create(certificate.publicKey),
      new x509.Extension(CRL_NUMBER, false, ONE),
    ],
  });
  return Buffer.from(list.rawData);
}

/** Whether a certificate names this revocation list; undefined: none. */
export function namesRevocationList(certificate: string, url: string | undefined): boolean {
  const extension = new x509.X509Certificate(certificate).getExtension(x509.CRLDistributionPointsExtension);
  const named = JSON.stringify(extension?.distributionPoints ?? []);
  return url === undefined ? extension === null : named.includes(JSON.stringify(url));
}

function issuerExtensions(): x509.Extension[] {
  return [
    new x509.BasicConstraintsExtension(true, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
  ];
}

function pemOf(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}

function keyPem(key: webcrypto.CryptoKey): string {
  return KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }).toString();
}

function signingKeyOf(pem: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' });
  return webcrypto.subtle.importKey('pkcs8', der, KEY_ALGORITHM, false, ['sign']);
}
