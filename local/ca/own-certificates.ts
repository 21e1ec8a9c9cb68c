import { X509Certificate } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { rootCertificates } from 'node:tls';
import { onState } from '../state/failure.ts';
import type { CertificateAuthority } from './authority.ts';
import { isIssuedBy, isUsable, type KeyedCertificate } from './certificate.ts';
import { readCertificate, writeCertificate } from './certificate-files.ts';

/** A certificate is replaced if it has fewer days left. */
const RENEWAL_DAYS = 7;

/** A certificate for a device of the user, and its files. */
export interface DeviceFiles {
  /** PEM: the certificate, then its issuers without the root. */
  readonly certificate: string;
  readonly key: string;
}

/** The files with the certificates that programs trust. */
export interface TrustFiles {
  /** PEM of the root of the local stack alone, for programs that add it to what they trust. */
  readonly root: string;
  /** PEM of the public roots and this root, for programs that trust one file alone. */
  readonly bundle: string;
}

/** The certificates of the user's own devices, in the state folder. They stay the same until they expire. */
export interface OwnCertificates {
  readonly trust: TrustFiles;
  /** PEM of the authority of an enrollment group. Only devices of this group have a certificate of it. */
  groupAuthority(group: string): Promise<string>;
  /** Which of these authorities (PEM) can issue certificates here: the root, that of the group, or none (undefined). */
  issuerAmong(trusted: readonly string[], group: string): 'root' | 'group' | undefined;
  /**
   * The certificate of a device. Its common name is the registration id.
   *
   * @param group the enrollment group whose authority issues it; undefined: the root issues it.
   */
  device(registrationId: string, group: string | undefined): Promise<DeviceFiles>;
}

/**
 * Opens the certificates of the user's own devices, and writes the files that programs trust.
 *
 * @param directory the folder of the authority.
 * @throws LocalError `BERTH_LOCAL_STATE_UNUSABLE`
 */
export function openOwnCertificates(
  authority: CertificateAuthority,
  directory: string,
  now: () => number = Date.now,
): OwnCertificates {
  const folder = resolve(directory);
  const keep = async (
    name: string,
    issuer: string,
    create: () => Promise<KeyedCertificate>,
  ): Promise<KeyedCertificate> => {
    const kept = readCertificate(folder, name);
    if (kept !== undefined && isGood(kept, issuer, now())) return kept;
    const created = await create();
    writeCertificate(folder, name, created);
    return created;
  };
  const intermediate = (group: string) =>
    keep(`group-${fileName(group)}`, authority.root, () => authority.issueIntermediate(group));

  return {
    trust: writeTrust(folder, authority.root),
    groupAuthority: async (group) => (await intermediate(group)).certificate,
    issuerAmong(trusted, group) {
      const known = trusted.map(fingerprintOf);
      if (known.includes(fingerprintOf(authority.root))) return 'root';
      const own = readCertificate(folder, `group-${fileName(group)}`);
      return own !== undefined && known.includes(fingerprintOf(own.certificate)) ? 'group' : undefined;
    },
    async device(registrationId, group) {
      const through = group === undefined ? undefined : await intermediate(group);
      const issuer = through?.certificate ?? authority.root;
      const name = `device-${fileName(registrationId)}`;
      await keep(name, issuer, () => authority.issueDevice(registrationId, { ...(through && { through }) }));
      return { certificate: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
    },
  };
}

/** Ids are not case-sensitive, and file names are not so everywhere. */
function fileName(id: string): string {
  return encodeURIComponent(id.toLowerCase());
}

function fingerprintOf(certificate: string): string {
  return new X509Certificate(certificate).fingerprint256;
}

function isGood(pair: KeyedCertificate, issuer: string, now: number): boolean {
  try {
    return isUsable(pair, now, RENEWAL_DAYS) && isIssuedBy(pair.certificate, issuer);
  } catch {
    return false; // a damaged certificate; the caller makes a new one
  }
}

function writeTrust(folder: string, root: string): TrustFiles {
  const bundle = join(folder, 'bundle.pem');
  onState(bundle, () => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(bundle, `${[root.trim(), ...rootCertificates].join('\n')}\n`);
  });
  return { root: join(folder, 'root.pem'), bundle };
}
