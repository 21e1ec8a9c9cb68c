import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isObject } from '../../src/json/json.ts';
import { localEnvironment } from '../processes/local-environment.ts';

/** Berth stores receipts once a second, and snapshots when it has read the events of the device. */
const LONGEST_WAIT_MS = 10_000;
const BETWEEN_MS = 400;

export interface DescriptionOptions {
  readonly deviceId: string;
  readonly registrationId: string;
  /** The registration ended after this time, milliseconds since the epoch. */
  readonly since: number;
  /** False for a device that was refused: it has no twin. */
  readonly hasTwin: boolean;
  /** The app settings of the stack. */
  readonly settings: Readonly<Record<string, string>>;
  /** The folder of the bundled commands. */
  readonly bundles: string;
}

/**
 * What `berth describe device` prints about a device that has just registered; undefined if Berth does not know it in time,
 * as where no functions run.
 */
export async function describeRegistered(options: DescriptionOptions): Promise<string | undefined> {
  const until = Date.now() + LONGEST_WAIT_MS;
  while (!isComplete(await describe(options, '--json'), options)) {
    if (Date.now() > until) return undefined;
    await delay(BETWEEN_MS);
  }
  return describe(options);
}

/** Whether the registration is stored, and the twin too. */
function isComplete(text: string | undefined, { since, hasTwin }: DescriptionOptions): boolean {
  const json: unknown = text === undefined ? undefined : JSON.parse(text);
  if (!isObject(json) || !Array.isArray(json.twins) || !Array.isArray(json.receipts)) return false;
  const [receipt] = json.receipts;
  const at = isObject(receipt) ? Date.parse(String(receipt.at)) : 0;
  return at >= since && (!hasTwin || json.twins.length > 0);
}

function describe(
  { deviceId, registrationId, settings, bundles }: DescriptionOptions,
  ...flags: readonly string[]
): Promise<string | undefined> {
  const args = ['describe', 'device', deviceId, '--registration-id', registrationId, ...flags];
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(bundles, 'berth.cjs'), ...args],
      { env: localEnvironment(settings) },
      (error, out) => resolve(error === null ? out : undefined),
    );
  });
}
