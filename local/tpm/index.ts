/**
 * The part of TPM 2.0 that a registration with DPS uses: identity keys that only one TPM can open, and a TPM in software
 * for devices without one.
 */
export { protectIdentityKey } from './identity-key.ts';
export { readTpmPublicKey, type TpmPublicKey } from './public-key.ts';
export { createSimulatedTpm, generateTpmKeys, type SimulatedTpm, type TpmKeys } from './simulated-tpm.ts';
