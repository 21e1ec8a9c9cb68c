import { X509Certificate } from 'node:crypto';
import { type LocalLog, silent } from '../log.ts';
import { createRoot, createSigned, isIssuedBy, isUsable, type KeyedCertificate } from './certificate.ts';
import { readCertificate, writeCertificate } from './certificate-files.ts';

const ROOT_DAYS = 3650;
const SERVER_DAYS = 365;
const DEVICE_DAYS = 365;
/** When the authority opens, it replaces a certificate with fewer days left. */
const RENEWAL_DAYS = 30;

/** Every host name by which a client can connect to the local hubs and DPS. */
const CLOUDS = ['net', 'cn', 'us'] as const;
const SERVER_NAMES: readonly string[] = [
  'localhost',
  ...CLOUDS.flatMap((cloud) => [
    `*.azure-devices.${cloud}`,
    `*.device.azure-devices.${cloud}`,
    `*.service.azure-devices.${cloud}`,
    `*.azure-devices-provisioning.${cloud}`,
  ]),
];
const SERVER_ADDRESSES = ['127.0.0.1'] as const;

export interface AuthorityOptions {
  /** Folder with the root and the server certificate. If absent, the certificates are not stored. */
  readonly directory?: string;
  readonly log?: LocalLog;
  /** Milliseconds since the epoch; default `Date.now`. */
  readonly now?: () => number;
}

export interface IssueOptions {
  /** Days of validity, default 365. The certificate never outlives its issuer. */
  readonly days?: number;
  /** Issue through this intermediate instead of the root. */
  readonly through?: KeyedCertificate;
}

/** The certificate authority of the local Azure IoT. */
export interface CertificateAuthority {
  /** PEM of the root. Clients trust it (`ca`), and an X.509 enrollment group contains it. */
  readonly root: string;
  /** The certificate of the TLS servers. */
  readonly server: KeyedCertificate;
  /** Issues a certificate for a device. Its common name is the registration id, as DPS requires. */
  issueDevice(registrationId: string, options?: IssueOptions): Promise<KeyedCertificate>;
  /** Issues an intermediate authority for `through` of `issueDevice`. */
  issueIntermediate(commonName: string): Promise<KeyedCertificate>;
}

/**
 * Opens the local certificate authority. It reads the root and the server certificate, and replaces each one that
 * is missing, damaged or about to expire. After a new root, clients must trust the new root.
 */
export async function openAuthority(options: AuthorityOptions = {}): Promise<CertificateAuthority> {
  const { directory, log = silent, now = Date.now } = options;

  const keep = async (
    name: string,
    isGood: (pair: KeyedCertificate) => boolean,
    create: () => Promise<KeyedCertificate>,
  ): Promise<KeyedCertificate> => {
    const kept = directory === undefined ? undefined : readCertificate(directory, name);
    if (kept !== undefined && isReadable(kept, isGood)) return kept;
    if (kept !== undefined)
      log.warn(`Replaced the local ${name} certificate, because it was damaged or about to expire.`);
    const created = await create();
    if (directory !== undefined) writeCertificate(directory, name, created);
    return created;
  };

  const root = await keep(
    'root',
    (pair) => isUsable(pair, now(), RENEWAL_DAYS),
    () => createRoot({ commonName: 'Berth local root', days: ROOT_DAYS, now: now() }),
  );
  const server = await keep(
    'server',
    (pair) =>
      isUsable(pair, now(), RENEWAL_DAYS) &&
      isIssuedBy(pair.certificate, root.certificate) &&
      hasNames(pair.certificate),
    () =>
      createSigned(
        root,
        { kind: 'server', names: SERVER_NAMES, addresses: SERVER_ADDRESSES },
        { commonName: 'localhost', days: SERVER_DAYS, now: now() },
      ),
  );

  return {
    root: root.certificate,
    server,
    issueDevice: (registrationId, { days = DEVICE_DAYS, through = root } = {}) =>
      createSigned(through, { kind: 'client' }, { commonName: registrationId, days, now: now() }),
    issueIntermediate: (commonName) =>
      createSigned(root, { kind: 'issuer' }, { commonName, days: ROOT_DAYS, now: now() }),
  };
}

/** Whether a stored certificate covers every name. Certificates of earlier versions of Berth cover fewer names. */
function hasNames(certificate: string): boolean {
  const { subjectAltName = '' } = new X509Certificate(certificate);
  return SERVER_NAMES.every((name) => subjectAltName.split(', ').includes(`DNS:${name}`));
}

function isReadable(pair: KeyedCertificate, isGood: (pair: KeyedCertificate) => boolean): boolean {
  try {
    return isGood(pair);
  } catch {
    return false;
  }
}
