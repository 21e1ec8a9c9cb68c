import { randomBytes } from 'node:crypto';
import type { SaslMechanism } from '../../amqp/index.ts';
import { protectIdentityKey } from '../../tpm/index.ts';
import type { AttestedDevice } from '../registration/attestation.ts';
import type { Attester } from '../registration/attester.ts';
import type { DpsRefusal } from '../registration/dps-error.ts';
import { readTpm } from '../registration/tpm-challenges.ts';
import type { RegistrationAddress } from './registration-address.ts';

/*
 * The challenge goes to the client in parts, each after a control byte (SaslTpmHandler of azure-iot-sdk-csharp, SaslTpm of
 * azure-iot-provisioning-device-amqp). A SASL frame has at most 512 bytes (OASIS AMQP 1.0, part 2, section 2.4.1).
 */
const PART_BYTES = 400;
const PART = 0x80;
const LAST_PART = 0xc0;
/** The length of the keys of other challenges. */
const UNUSED_KEY_BYTES = 32;
const SEQUENCE_MASK = 0x03;

/** The first challenge asks for the storage root key. */
const SEND_STORAGE_ROOT_KEY = Buffer.from([0]);

/** What a login has proved: the address in it, and the device or why it is refused. */
export interface Proved {
  readonly address: RegistrationAddress;
  readonly device: AttestedDevice | DpsRefusal;
}

/**
 * The SASL mechanism `TPM` of DPS: the client names itself and its endorsement key, then its storage root key. It gets a key
 * that only its TPM can open, and proves with a token that it has opened it. A device that is not enrolled gets a key too,
 * and learns from the answer to its first request that it is refused.
 */
export class TpmMechanism implements SaslMechanism {
  outcome: boolean | undefined = undefined;
  username: string | undefined = undefined;
  /** Set with a positive result. */
  proved: Proved | undefined = undefined;
  readonly #attester: Attester;
  #address: RegistrationAddress | undefined;
  #endorsementKey = Buffer.alloc(0);
  #refusal: DpsRefusal | undefined;
  /** The parts of the challenge that the client has not got yet; undefined: the client has not sent its second key. */
  #parts: Buffer[] | undefined;

  constructor(attester: Attester) {
    this.#attester = attester;
  }

  /** `\0{idScope}\0{registrationId}\0{endorsementKey}` */
  start(response: Buffer | undefined): Buffer | undefined {
    const bytes = response ?? Buffer.alloc(0);
    const scopeEnd = bytes.indexOf(0, 1);
    const idEnd = scopeEnd < 0 ? -1 : bytes.indexOf(0, scopeEnd + 1);
    if (bytes[0] !== 0 || idEnd < 0) return this.#end(false);
    const scope = bytes.toString('utf8', 1, scopeEnd);
    const registrationId = bytes.toString('utf8', scopeEnd + 1, idEnd);
    this.#address = { scope, registrationId };
    this.#endorsementKey = Buffer.from(bytes.subarray(idEnd + 1));
    this.username = `${scope}/registrations/${registrationId}`;
    return SEND_STORAGE_ROOT_KEY;
  }

  /** `\0{storageRootKey}`, then `\0` after each part, then `\0{token}`. */
  step(response: Buffer | undefined): Buffer | undefined {
    const address = this.#address;
    if (address === undefined) return this.#end(false);
    const sent = Buffer.from((response ?? Buffer.alloc(0)).subarray(1));
    if (this.#parts === undefined) {
      const challenge = this.#challenge(address, sent);
      if (challenge === undefined) return this.#end(false);
      this.#parts = partsOf(challenge);
      return this.#parts.shift();
    }
    return this.#parts.length > 0 ? this.#parts.shift() : this.#prove(address, sent.toString('utf8'));
  }

  #challenge(address: RegistrationAddress, sent: Buffer): Buffer | undefined {
    const keys = {
      endorsementKey: this.#endorsementKey,
      storageRootKey: sent.length > 0 ? sent : undefined,
    };
    const answer = this.#attester({
      ...address,
      evidence: { token: undefined, certificates: [], tpm: keys },
    });
    if (typeof answer === 'object' && 'challenge' in answer) return answer.challenge;
    this.#refusal = typeof answer === 'string' ? answer : 'unauthorized';
    const tpm = readTpm(keys);
    return tpm && protectIdentityKey(tpm.endorsement, tpm.storageRoot, randomBytes(UNUSED_KEY_BYTES));
  }

  #prove(address: RegistrationAddress, token: string): undefined {
    const answer = this.#refusal ?? this.#attester({ ...address, evidence: { token, certificates: [] } });
    const device = typeof answer === 'object' && 'challenge' in answer ? 'unauthorized' : answer;
    this.proved = { address, device };
    return this.#end(true);
  }

  #end(outcome: boolean): undefined {
    this.outcome = outcome;
    return undefined;
  }
}

function partsOf(challenge: Buffer): Buffer[] {
  const count = Math.ceil(challenge.length / PART_BYTES);
  return Array.from({ length: count }, (_, index) => {
    const control = (index === count - 1 ? LAST_PART : PART) | (index & SEQUENCE_MASK);
    const part = challenge.subarray(index * PART_BYTES, (index + 1) * PART_BYTES);
    return Buffer.concat([Buffer.from([control]), part]);
  });
}
