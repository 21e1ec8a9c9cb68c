import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import * as z from 'zod';
import { type Assigned, register } from '../../local/devices/registration.ts';
import { askForCredentials, type RunningStack, readStack } from '../../local/own-device/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { type Bundles, copyBundles } from './bundles.ts';
import { type LocalRun, runLocally } from './local-run.ts';

/** A gateway and two devices behind it: DPS, hubs and functions of the local stack, with Microsoft's SDK as the devices. */

/** An event that comes before its receipt waits for the next run of `resyncFleet`, which comes once a minute. */
const WITHIN_MS = 150_000;
const DEVICE = z.object({ deviceScope: z.string().optional(), parentScopes: z.array(z.string()).optional() });

let bundles: Bundles;
let run: LocalRun;
let control: string;
let stack: RunningStack;
beforeAll(async () => {
  bundles = await copyBundles();
  allowParents(join(bundles.directory, 'fleet.json'));
  const state = join(temporaryFolder('gateway'), 'stack');
  run = runLocally(bundles.directory, ['--devices', '1', '--edge-devices', '0', '--state', state]);
  control = await run.says(/control API (http:\S+)\)/);
  await run.says(/the functions (run)/);
  stack = await readStack(control);
});
afterAll(async () => {
  run.process.kill('SIGINT');
  await run.ended;
  bundles.remove();
});

function allowParents(file: string): void {
  const fleet = JSON.parse(readFileSync(file, 'utf8')) as { allocation: { rules: readonly object[] } };
  const rules = [...fleet.allocation.rules, { name: 'gateway', parent: '=payload.gateway' }];
  writeFileSync(
    file,
    JSON.stringify({ ...fleet, allocation: { ...fleet.allocation, rules, setScopes: true } }),
  );
}

async function registered(registrationId: string, edge: boolean, gateway?: string): Promise<Assigned> {
  const { key, idScope } = await askForCredentials(control, {
    registrationId,
    proof: 'key',
    group: undefined,
    edge,
  });
  return register({
    registrationId,
    proof: { kind: 'key', key: key ?? '' },
    payload: gateway === undefined ? {} : { gateway },
    over: 'https',
    idScope,
    ca: stack.root,
    httpsPort: stack.ports.https,
    mqttPort: stack.ports.mqtt,
  });
}

async function deviceOn(hub: string, deviceId: string): Promise<z.output<typeof DEVICE>> {
  return DEVICE.parse(await (await fetch(`${control}/hubs/${hub}/devices/${deviceId}`)).json());
}

/** Waits until the hub has the entry of a parent. */
async function withParent(hub: string, deviceId: string): Promise<z.output<typeof DEVICE>> {
  const end = Date.now() + WITHIN_MS;
  for (;;) {
    const device = await deviceOn(hub, deviceId);
    if (device.parentScopes !== undefined) return device;
    if (Date.now() > end) throw new Error(`${deviceId} has no parent:\n${run.said().slice(-2_000)}`);
    await delay(200);
  }
}

test('a gateway, a nested gateway and a leaf device register at once, and end on one hub with their scopes', async () => {
  // The children are first. DPS tries them again until their parents have registered.
  const children = [registered('pump', false, 'lower'), registered('lower', true, 'top')];
  const top = await registered('top', true);
  const [pump, lower] = await Promise.all(children);

  expect([lower?.hub, pump?.hub]).toEqual([top.hub, top.hub]);
  const scopeOf = async (deviceId: string) => (await deviceOn(top.hub, deviceId)).deviceScope ?? '';
  expect(await withParent(top.hub, 'lower')).toMatchObject({ parentScopes: [await scopeOf('top')] });
  expect(await scopeOf('lower')).toMatch(/^ms-azure-iot-edge:\/\/lower-/);
  expect(await withParent(top.hub, 'pump')).toEqual({
    deviceScope: await scopeOf('lower'),
    parentScopes: [await scopeOf('lower')],
  });
}, 400_000);
