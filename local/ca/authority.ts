import { X509Certificate } from 'node:crypto';
import { type LocalLog, silent } from '../log.ts';
import { createRoot, createSigned, isIssuedBy, isUsable, type KeyedCertificate } from './certificate.ts';
import { readCertificate, writeCertificate } from './certificate-files.ts';

const ROOT_DAYS = 3650;
const SERVER_DAYS = 365;
const DEVICE_DAYS = 365;
/** A certificate with fewer days left is made anew when the authority opens. */
const RENEWAL_DAYS = 30;

/** Every name under which a client may reach the local hubs and DPS, through whatever address it connects. */
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
  /** Where the root and the server certificate are kept; absent: they live as long as the process. */
  readonly directory?: string;
  readonly log?: LocalLog;
  /** Milliseconds since the epoch; default `Date.now`. */
  readonly now?: () => number;
}

export interface IssueOptions {
  /** Days of validity, default 365; never more than the issuer's. */
  readonly days?: number;
  /** Issue through this intermediate instead of the root. */
  readonly through?: KeyedCertificate;
}

/** The certificate authority of the local Azure IoT. */
export interface CertificateAuthority {
  /** PEM of the root: what clients trust (`ca`) and what an X.509 enrollment group names. */
  readonly root: string;
  /** The certificate of the TLS servers. */
  readonly server: KeyedCertificate;
  /** A certificate for a device: its common name is the registration id, as DPS demands. */
  issueDevice(registrationId: string, options?: IssueOptions): Promise<KeyedCertificate>;
  /** An authority below the root, to be given to `issueDevice` as `through`. */
  issueIntermediate(commonName: string): Promise<KeyedCertificate>;
}

/**
 * Opens the local certificate authority: reads its root and server certificate, and makes what is missing,
 * damaged or about to expire. A new root means that clients must be given it again.
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
      log.warn(`The local ${name} certificate was damaged or about to expire and is new.`);
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

/** Whether a kept certificate is for every name; an earlier version of Berth knew fewer. */
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
