import {
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto';
import { promisify } from 'node:util';
import {
  bits,
  certificateTime,
  contextField,
  type Element,
  elementsOf,
  identifier,
  integer,
  nameText,
  sequence,
  set,
  tagOf,
} from './der.ts';
import {
  alternativeNames,
  authorityKeyIdentifier,
  crlNumber,
  distributionPoints,
  issuerExtensions,
  leafExtensions,
  OID,
  revocationListAt,
  subjectKeyIdentifier,
} from './extensions.ts';

/* Certificates of X.509 version 3 (RFC 5280) with keys on P-256. Node.js makes the keys and the signatures, and reads certificates. */

const DAY_MS = 86_400_000;
/** `ecdsa-with-SHA256` (RFC 5758, 3.2). */
const SIGNATURE_ALGORITHM = sequence(identifier('1.2.840.10045.4.3.2'));
const COMMON_NAME = '2.5.4.3';
/** Version 3 of certificates and version 2 of revocation lists, which both count from 0. */
const CERTIFICATE_VERSION = 2;
const LIST_VERSION = 1;
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
  const { publicKey, privateKey } = await newKeys();
  const name = nameOf(commonName);
  const certificate = signed(
    privateKey,
    certificateBody({
      issuer: name,
      subject: name,
      publicKey,
      validity: validity(now, now + days * DAY_MS),
      extensions: [...issuerExtensions(), subjectKeyIdentifier(publicKey)],
    }),
  );
  return { certificate: pemOf(certificate), key: keyPem(privateKey) };
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
  const parent = new X509Certificate(issuer.certificate);
  const { publicKey, privateKey } = await newKeys();
  const certificate = signed(
    createPrivateKey(issuer.key),
    certificateBody({
      issuer: subjectOf(parent),
      subject: nameOf(commonName),
      publicKey,
      validity: validity(now, Math.min(now + days * DAY_MS, Date.parse(parent.validTo))),
      extensions: [
        ...usageExtensions(usage),
        subjectKeyIdentifier(publicKey),
        authorityKeyIdentifier(parent.publicKey),
      ],
    }),
  );
  const issuers = isSelfSigned(issuer.certificate) ? '' : issuer.certificate;
  return { certificate: pemOf(certificate) + issuers, key: keyPem(privateKey) };
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

/** Makes an empty revocation list (DER) of an issuer. */
export function createRevocationList(
  issuer: KeyedCertificate,
  { days, now }: Pick<SigningParams, 'days' | 'now'>,
): Buffer {
  const key = createPrivateKey(issuer.key);
  return signed(
    key,
    sequence(
      integer(LIST_VERSION),
      SIGNATURE_ALGORITHM,
      subjectOf(new X509Certificate(issuer.certificate)),
      certificateTime(now - BACKDATED_MS),
      certificateTime(now + days * DAY_MS),
      contextField(0, sequence(authorityKeyIdentifier(createPublicKey(key)), crlNumber(1))),
    ),
  );
}

/** Whether a certificate names this revocation list; undefined: none. */
export function namesRevocationList(certificate: string, url: string | undefined): boolean {
  const extensions = bodyOf(new X509Certificate(certificate)).find(({ tag }) => tag === tagOf(3));
  const [list] = elementsOf(extensions?.content ?? Buffer.alloc(0));
  const points = elementsOf(list?.content ?? Buffer.alloc(0))
    .map(({ content }) => elementsOf(content))
    .find(([oid]) => oid?.whole.equals(identifier(OID.crlDistributionPoints)));
  if (url === undefined) return points === undefined;
  return points?.at(-1)?.content.equals(distributionPoints(url)) ?? false;
}

interface CertificateBody {
  readonly issuer: Buffer;
  readonly subject: Buffer;
  readonly validity: Buffer;
  readonly publicKey: KeyObject;
  readonly extensions: readonly Buffer[];
}

function certificateBody({ issuer, subject, validity, publicKey, extensions }: CertificateBody): Buffer {
  return sequence(
    contextField(0, integer(CERTIFICATE_VERSION)),
    serialNumber(),
    SIGNATURE_ALGORITHM,
    issuer,
    validity,
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    contextField(3, sequence(...extensions)),
  );
}

/** A body with its signature. */
function signed(key: KeyObject, body: Buffer): Buffer {
  return sequence(body, SIGNATURE_ALGORITHM, bits(sign('sha256', body, key)));
}

/** A random positive number of 16 bytes. */
function serialNumber(): Buffer {
  const [first = 0, ...others] = randomBytes(16);
  return integer((first & 0x7f) | 0x40, ...others);
}

const validity = (from: number, to: number): Buffer =>
  sequence(certificateTime(from - BACKDATED_MS), certificateTime(to));

const nameOf = (commonName: string): Buffer =>
  sequence(set(sequence(identifier(COMMON_NAME), nameText(commonName))));

/** The encoded subject. An issuer must be named with the same bytes. */
function subjectOf(certificate: X509Certificate): Buffer {
  const [, , , , , subject] = bodyOf(certificate);
  if (subject === undefined) throw new RangeError('a certificate has no subject');
  return subject.whole;
}

/** The fields of a certificate of version 3: version, serial number, algorithm, issuer, validity, subject, key, extensions. */
function bodyOf({ raw }: X509Certificate): readonly Element[] {
  const [certificate] = elementsOf(raw);
  const [body] = elementsOf(certificate?.content ?? Buffer.alloc(0));
  return elementsOf(body?.content ?? Buffer.alloc(0));
}

function usageExtensions(usage: Usage): readonly Buffer[] {
  if (usage.kind === 'issuer') return issuerExtensions();
  const leaf = leafExtensions(usage.kind);
  if (usage.kind === 'client') return leaf;
  const { names, addresses, revocationList } = usage;
  const list = revocationList === undefined ? [] : [revocationListAt(revocationList)];
  return [...leaf, alternativeNames(names, addresses), ...list];
}

const newKeys = () => promisify(generateKeyPair)('ec', { namedCurve: 'P-256' });

function pemOf(certificate: Buffer): string {
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

const keyPem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();
