import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode, onState, stateFailure } from '../state/failure.ts';
import type { KeyedCertificate } from './certificate.ts';

/**
 * Reads `NAME.pem` and `NAME.key`; undefined if either is missing.
 *
 * @throws LocalError `BERTH_LOCAL_STATE_UNUSABLE` if a file exists but cannot be read. It must not be replaced.
 */
export function readCertificate(directory: string, name: string): KeyedCertificate | undefined {
  const certificate = read(join(directory, `${name}.pem`));
  const key = read(join(directory, `${name}.key`));
  return certificate === undefined || key === undefined ? undefined : { certificate, key };
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw stateFailure(error, file);
  }
}

/**
 * Writes `NAME.pem` and `NAME.key`; only the owner may read the key.
 *
 * @throws LocalError `BERTH_LOCAL_STATE_UNUSABLE`
 */
export function writeCertificate(directory: string, name: string, pair: KeyedCertificate): void {
  onState(directory, () => mkdirSync(directory, { recursive: true }));
  writeWhole(join(directory, `${name}.key`), pair.key, 0o600);
  writeWhole(join(directory, `${name}.pem`), pair.certificate, 0o644);
}

function writeWhole(file: string, text: string, mode: number): void {
  const next = `${file}.next`;
  onState(file, () => {
    writeFileSync(next, text, { mode });
    chmodSync(next, mode); // `mode` above has no effect if an interrupted write left the file
    renameSync(next, file);
  });
}
