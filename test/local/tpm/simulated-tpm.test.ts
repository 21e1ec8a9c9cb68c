import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { createSimulatedTpm, protectIdentityKey, readTpmPublicKey } from '../../../local/tpm/index.ts';

/**
 * Made with TSS.NET, Microsoft's library for TPM 2.0: `TpmPublic.CreateActivationCredentials` and
 * `TssObject.GetDuplicationBlob` for the public keys of a simulated TPM. The keys are used nowhere else.
 */
const vector = JSON.parse(readFileSync(join(__dirname, 'microsoft-tss.json'), 'utf8')) as {
  readonly keys: { readonly endorsement: string; readonly storageRoot: string };
  readonly endorsementKey: string;
  readonly storageRootKey: string;
  readonly storageRootName: string;
  readonly authenticationKey: string;
  readonly identityKey: string;
};
const bytes = (base64: string) => Buffer.from(base64, 'base64');
const hmac = (key: Buffer) => createHmac('sha256', key).update('data').digest('hex');

describe('the simulated TPM', () => {
  test("has the public keys, and computes the names, of Microsoft's library", () => {
    const tpm = createSimulatedTpm(vector.keys);

    expect(tpm.endorsementKey.toString('base64')).toBe(vector.endorsementKey);
    expect(readTpmPublicKey(tpm.storageRootKey)?.name.toString('hex')).toBe(vector.storageRootName);
  });

  test("opens an identity key that Microsoft's library protected, and signs with it", () => {
    const tpm = createSimulatedTpm(vector.keys);

    tpm.activateIdentityKey(bytes(vector.authenticationKey));

    expect(tpm.sign(Buffer.from('data')).toString('hex')).toBe(hmac(bytes(vector.identityKey)));
  });

  test('opens an identity key of the local DPS, and keeps only the newest', () => {
    const tpm = createSimulatedTpm(vector.keys);
    const [endorsement, storageRoot] = [vector.endorsementKey, vector.storageRootKey].map((key) =>
      readTpmPublicKey(bytes(key)),
    );
    if (!endorsement || !storageRoot) throw new Error('The vector has no keys.');

    for (const key of [Buffer.alloc(32, 1), Buffer.alloc(64, 2)]) {
      tpm.activateIdentityKey(protectIdentityKey(endorsement, storageRoot, key));
      expect(tpm.sign(Buffer.from('data')).toString('hex')).toBe(hmac(key));
    }
  });

  test('does not sign before it has an identity key', () => {
    expect(() => createSimulatedTpm(vector.keys).sign(Buffer.from('data'))).toThrow(
      'Register the device first',
    );
  });
});

describe('the public key of a TPM', () => {
  const key = bytes(vector.endorsementKey);
  const changed = (at: number, value: number) => {
    const copy = Buffer.from(key);
    copy[at] = value;
    return copy;
  };

  test.each([
    ['is empty', Buffer.alloc(0)],
    ['is cut off', key.subarray(0, -1)],
    ['goes on after its end', Buffer.concat([key, Buffer.alloc(1)])],
    ['is an elliptic curve', changed(3, 0x23)],
    ['has an unknown hash', changed(5, 0x7f)],
    ['cannot protect data', changed(45, 0x10)],
    ['is PEM', Buffer.from(vector.keys.endorsement)],
  ])('is not accepted if it %s', (_, sent) => {
    expect(readTpmPublicKey(sent)).toBeUndefined();
  });
});
