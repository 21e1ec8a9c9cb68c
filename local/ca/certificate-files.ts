import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KeyedCertificate } from './certificate.ts';

/** Reads `NAME.pem` and `NAME.key`; undefined if either is missing or unreadable. */
export function readCertificate(directory: string, name: string): KeyedCertificate | undefined {
  try {
    return {
      certificate: readFileSync(join(directory, `${name}.pem`), 'utf8'),
      key: readFileSync(join(directory, `${name}.key`), 'utf8'),
    };
  } catch {
    return undefined;
  }
}

/** Writes `NAME.pem` and `NAME.key`; only the owner may read the key. */
export function writeCertificate(directory: string, name: string, pair: KeyedCertificate): void {
  mkdirSync(directory, { recursive: true });
  writeWhole(join(directory, `${name}.key`), pair.key, 0o600);
  writeWhole(join(directory, `${name}.pem`), pair.certificate, 0o644);
}

function writeWhole(file: string, text: string, mode: number): void {
  const next = `${file}.next`;
  writeFileSync(next, text, { mode });
  chmodSync(next, mode); // `mode` above is ignored where the file of an interrupted write is still there
  renameSync(next, file);
}
