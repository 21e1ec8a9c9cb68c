import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { LocalError } from '../errors.ts';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * Reads the CA certificates (PEM) that hubs trust for devices with `certificateAuthority`. A file can hold several.
 *
 * @throws LocalError `BERTH_LOCAL_CA_FILE` for a file that cannot be read, or that holds no CA certificate or another one
 */
export function readTrustedFiles(files: readonly string[]): readonly string[] {
  return files.flatMap((file) => {
    const found = [...contentOf(file).matchAll(CERTIFICATE)].map(([pem]) => pem);
    if (found.length === 0) throw unusable(file, 'It holds no certificate in PEM form.');
    for (const pem of found) {
      if (!isAuthority(pem)) throw unusable(file, 'It holds a certificate that is not one of a CA.');
    }
    return found;
  });
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw unusable(file, error instanceof Error ? error.message : 'It cannot be read.');
  }
}

function isAuthority(pem: string): boolean {
  try {
    return new X509Certificate(pem).ca;
  } catch {
    return false;
  }
}

function unusable(file: string, why: string): LocalError {
  return new LocalError(
    'BERTH_LOCAL_CA_FILE',
    `The file "${file}" of --trust-ca cannot be used. ${why} Name a file with the certificates (PEM) of your CAs.`,
  );
}
