import * as z from 'zod';
import type { RunCommand } from '../control-api/index.ts';
import { FLEET_STATUS, getJson } from '../once/apis.ts';

/** Where the running stack listens. */
export interface Addresses {
  readonly functionsUrl: string;
  readonly controlUrl: string;
  readonly functionKey: string;
}

/** The faults of the key `f`, as in "a bad day" of docs/local.md: slow hubs, errors, throttling, and disordered events. */
const BAD_DAY = {
  seed: 7,
  latencyMs: 200,
  errorRate: 0.1,
  throttleRate: 0.05,
  timeoutRate: 0.02,
  duplicateRate: 0.1,
  replayRate: 0.1,
  coalesceRate: 0.2,
  dropRate: 0.01,
};

const DEADLINE_MS = 10_000;

/** Ends the faults of the hubs if there are any, else gives all hubs a bad day. Returns what it did, in one line. */
export async function toggleFaults({ controlUrl }: Addresses): Promise<string> {
  const url = `${controlUrl}/faults`;
  const active = await getJson(url, z.array(z.unknown()));
  const isOn = active.length > 0;
  const response = await fetch(url, {
    method: isOn ? 'DELETE' : 'PUT',
    ...(isOn ? {} : { body: JSON.stringify(BAD_DAY) }),
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
  if (!response.ok) throw new Error(`The control API answered ${response.status}`);
  return isOn ? 'the faults of all hubs have ended' : 'all hubs have a bad day: press f again to end it';
}

/** Pauses all writes to twins with `berth pause`, or ends the pause. Returns what the command says, in one line. */
export async function togglePause(
  { functionsUrl, functionKey }: Addresses,
  run: RunCommand,
): Promise<string> {
  const { pause } = await getJson(`${functionsUrl}/api/fleet`, FLEET_STATUS, {
    'x-functions-key': functionKey,
  });
  const name = pause === null ? 'pause' : 'resume';
  const { err } = await run([name, '--reason', 'the key p in npm start']);
  return err.trim().split('\n', 1)[0] ?? '';
}
