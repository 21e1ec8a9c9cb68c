import { randomBytes, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { commonName } from '../../ca/index.ts';
import { createClock, formatDateTimeUtc } from '../../iot-hub/model/instant.ts';
import { openJournal } from '../../journal.ts';
import { type Deleted, readStoredCertificate } from '../stored-records.ts';

/** A CA certificate that was uploaded to DPS. When it is verified, groups can refer to it by name. */
export interface StoredCertificate {
  readonly name: string;
  /** PEM. */
  readonly certificate: string;
  readonly isVerified: boolean;
  /** The required common name of the verification certificate; absent if no code was requested. */
  readonly verificationCode?: string;
  readonly etag: string;
  readonly created: string;
  readonly updated: string;
}

export interface CertificateStore {
  values(): readonly StoredCertificate[];
  get(name: string): StoredCertificate | undefined;
  /** Uploads a certificate. It must then be verified, also if it replaces a verified one. */
  put(name: string, pem: string): StoredCertificate;
  /** Creates a verification code, for a proof of possession. */
  challenge(name: string): StoredCertificate | undefined;
  /** Verifies the certificate if it has signed `proof` (PEM) and `proof` contains the code; undefined otherwise. */
  verify(name: string, proof: string): StoredCertificate | undefined;
  delete(name: string): void;
  /** PEM of a verified certificate. */
  readonly verified: (name: string) => string | undefined;
  close(): void;
}

const CODE_BYTES = 24;

/** @throws LocalError `BERTH_LOCAL_STATE_DAMAGED`, `BERTH_LOCAL_STATE_UNUSABLE` */
export function openCertificates(directory: string | undefined, now: () => number): CertificateStore {
  const tick = createClock(now);
  const stored = new Map<string, StoredCertificate>();
  const journal = openJournal<StoredCertificate | Deleted>(
    directory && join(directory, 'certificates.jsonl'),
    (record) => {
      const entry = readStoredCertificate<StoredCertificate | Deleted>(record);
      if ('deleted' in entry) stored.delete(entry.deleted);
      else stored.set(entry.name.toLowerCase(), entry);
    },
  );
  const get = (name: string) => stored.get(name.toLowerCase());
  const keep = (certificate: Omit<StoredCertificate, 'etag' | 'created' | 'updated'>): StoredCertificate => {
    const updated = formatDateTimeUtc(tick());
    const created = get(certificate.name)?.created ?? updated;
    const kept = { ...certificate, etag: randomBytes(8).toString('base64'), created, updated };
    journal.append(kept);
    stored.set(kept.name.toLowerCase(), kept);
    return kept;
  };
  return {
    values: () => [...stored.values()],
    get,
    put: (name, certificate) => keep({ name, certificate, isVerified: false }),
    challenge(name) {
      const found = get(name);
      return (
        found && keep({ ...found, verificationCode: randomBytes(CODE_BYTES).toString('hex').toUpperCase() })
      );
    },
    verify(name, proof) {
      const found = get(name);
      if (found?.verificationCode === undefined || !proves(proof, found)) return undefined;
      const { verificationCode: _, ...rest } = found;
      return keep({ ...rest, isVerified: true });
    },
    delete(name) {
      if (stored.delete(name.toLowerCase())) journal.append({ deleted: name.toLowerCase() });
    },
    verified(name) {
      const found = get(name);
      return found?.isVerified ? found.certificate : undefined;
    },
    close: () => journal.close(),
  };
}

function proves(proof: string, { certificate, verificationCode }: StoredCertificate): boolean {
  try {
    const leaf = new X509Certificate(proof);
    const authority = new X509Certificate(certificate);
    return commonName(leaf) === verificationCode && leaf.verify(authority.publicKey);
  } catch {
    return false;
  }
}
