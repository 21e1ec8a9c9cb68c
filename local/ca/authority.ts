import { X509Certificate } from 'node:crypto';
import { type LocalLog, silent } from '../log.ts';
import {
  createRevocationList,
  createRoot,
  createSigned,
  isIssuedBy,
  isUsable,
  type KeyedCertificate,
  namesRevocationList,
} from './certificate.ts';
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
const SERVER_ADDRESSES = ['127.0.0.1', '::1'] as const;
/** The addresses as Node.js writes them. */
const WRITTEN_ADDRESSES = ['127.0.0.1', '0:0:0:0:0:0:0:1'] as const;
/** A client may keep the revocation list for this long. Each start makes a new one. */
const REVOCATION_LIST_DAYS = 365;

export interface AuthorityOptions {
  /** Folder with the root and the server certificate. If absent, the certificates are not stored. */
  readonly directory?: string;
  /** Where clients find the revocation list, such as `http://localhost:7080`; absent: the certificates name none. */
  readonly revocationListAt?: string;
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
  /**
   * The revocation list, DER, and its path. It is empty. The SDK for C# asks for it when it checks the certificate of a
   * server. The path contains the fingerprint of the root, because clients keep lists by their URL.
   */
  readonly revocationList: { readonly path: string; readonly der: Buffer };
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
  const { directory, revocationListAt, log = silent, now = Date.now } = options;

  const keep = async (
    name: string,
    isGood: (pair: KeyedCertificate) => boolean,
    create: () => Promise<KeyedCertificate>,
  ): Promise<KeyedCertificate> => {
    const kept = directory === undefined ? undefined : readCertificate(directory, name);
    if (kept !== undefined && isReadable(kept, isGood)) return kept;
    if (kept !== undefined)
      log.warn(
        `Replaced the local ${name} certificate, because it was damaged, about to expire, or for other addresses.`,
      );
    const created = await create();
    if (directory !== undefined) writeCertificate(directory, name, created);
    return created;
  };

  const root = await keep(
    'root',
    (pair) => isUsable(pair, now(), RENEWAL_DAYS),
    () => createRoot({ commonName: 'Berth local root', days: ROOT_DAYS, now: now() }),
  );
  const path = `/ca/${new X509Certificate(root.certificate).fingerprint256.replaceAll(':', '').slice(0, 16).toLowerCase()}.crl`;
  const listUrl = revocationListAt && `${revocationListAt}${path}`;
  const server = await keep(
    'server',
    (pair) =>
      isUsable(pair, now(), RENEWAL_DAYS) &&
      isIssuedBy(pair.certificate, root.certificate) &&
      hasNames(pair.certificate) &&
      namesRevocationList(pair.certificate, listUrl),
    () =>
      createSigned(
        root,
        { kind: 'server', names: SERVER_NAMES, addresses: SERVER_ADDRESSES, revocationList: listUrl },
        { commonName: 'localhost', days: SERVER_DAYS, now: now() },
      ),
  );

  return {
    root: root.certificate,
    server,
    revocationList: {
      path,
      der: createRevocationList(root, { days: REVOCATION_LIST_DAYS, now: now() }),
    },
    issueDevice: (registrationId, { days = DEVICE_DAYS, through = root } = {}) =>
      createSigned(through, { kind: 'client' }, { commonName: registrationId, days, now: now() }),
    issueIntermediate: (commonName) =>
      createSigned(root, { kind: 'issuer' }, { commonName, days: ROOT_DAYS, now: now() }),
  };
}

/** Whether a stored certificate covers every name. Certificates of earlier versions of Berth cover fewer names. */
function hasNames(certificate: string): boolean {
  const { subjectAltName = '' } = new X509Certificate(certificate);
  const covered = subjectAltName.split(', ');
  return (
    SERVER_NAMES.every((name) => covered.includes(`DNS:${name}`)) &&
    WRITTEN_ADDRESSES.every((address) => covered.includes(`IP Address:${address}`))
  );
}

function isReadable(pair: KeyedCertificate, isGood: (pair: KeyedCertificate) => boolean): boolean {
  try {
    return isGood(pair);
  } catch {
    return false;
  }
}
