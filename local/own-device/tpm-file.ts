import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as z from 'zod';
import { damaged, errorCode, onState, stateFailure } from '../state/failure.ts';
import { generateTpmKeys, type TpmKeys } from '../tpm/index.ts';

const KEYS = z.object({ endorsement: z.string(), storageRoot: z.string() });

/** The simulated TPM of a device of the user: its keys, and their file. */
export interface StoredTpm {
  readonly file: string;
  readonly keys: TpmKeys;
}

/**
 * The simulated TPM of a device. It is made once, and stays the same in the state folder.
 *
 * @throws LocalError `BERTH_LOCAL_STATE_DAMAGED`, `BERTH_LOCAL_STATE_UNUSABLE`
 */
export function tpmOfDevice(directory: string, registrationId: string): StoredTpm {
  const file = join(resolve(directory), `${encodeURIComponent(registrationId.toLowerCase())}.json`);
  const kept = readTpmKeys(file);
  if (kept !== undefined) return { file, keys: kept };
  const keys = generateTpmKeys();
  onState(file, () => {
    mkdirSync(resolve(directory), { recursive: true });
    writeFileSync(file, JSON.stringify(keys), { mode: 0o600 });
  });
  return { file, keys };
}

/** The keys in a file; undefined if there is no such file. */
export function readTpmKeys(file: string): TpmKeys | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw stateFailure(error, file);
  }
  try {
    return KEYS.parse(JSON.parse(text));
  } catch {
    throw damaged(file, 'it does not hold the keys of a TPM');
  }
}
