import { expect, test } from '@jest/globals';
import { canonicalJson, type JsonObject } from '../../src/json/json.ts';
import { markForRead } from '../../src/sync/reconcile/mark-for-read.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import { NEVER } from '../../src/time/instant.ts';
import { fc } from '../support/properties.ts';
import { edgeFleet, HOST } from './edge-devices.ts';
import { type CallFault, EdgeWorld } from './edge-world.ts';

/*
 * Random runs of a hub, an app and IoT Edge devices: layers by tags, new fleet files, other writers, lost events, lost answers
 * and failed calls, in any order. test/sync/model does the same for policies.
 */

const SECRET = 'Hunter2Hunter2';
const DEVICES = ['gateway-1', 'gateway-2', 'gateway-3'] as const;
/** Had a manifest before Berth's first apply. */
const FOREIGN = 'gateway-3';

type Step =
  | { readonly kind: 'tags'; readonly device: (typeof DEVICES)[number]; readonly ring: number }
  | { readonly kind: 'deploy'; readonly version: number }
  | { readonly kind: 'foreign'; readonly device: (typeof DEVICES)[number]; readonly image: number }
  | { readonly kind: 'fault'; readonly fault: CallFault | undefined }
  | { readonly kind: 'lose' | 'run' | 'take' | 'wait' };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('tags' as const),
    device: fc.constantFrom(...DEVICES),
    ring: fc.integer({ min: 1, max: 3 }),
  }),
  fc.record({ kind: fc.constant('deploy' as const), version: fc.integer({ min: 1, max: 4 }) }),
  fc.record({
    kind: fc.constant('foreign' as const),
    device: fc.constantFrom(...DEVICES),
    image: fc.integer({ min: 1, max: 2 }),
  }),
  fc.record({
    kind: fc.constant('fault' as const),
    fault: fc.constantFrom<CallFault | undefined>(
      undefined,
      { code: 'BERTH_HUB_THROTTLED' },
      { code: 'BERTH_HUB_TIMEOUT' },
      { code: 'BERTH_HUB_TIMEOUT', isApplied: true },
      { code: 'BERTH_HUB_PRECONDITION_FAILED', hubCode: '409402' },
    ),
  }),
  fc.record({ kind: fc.constantFrom('lose', 'run', 'take', 'wait' as const) }),
);

const fleetOf = (version: number) =>
  edgeFleet(
    [
      {
        name: 'base',
        modules: { sensor: { image: `a.io/sensor:${version}`, env: { KEY: 'setting:SENSOR_KEY' } } },
        routes: { toCloud: 'FROM /messages/* INTO $upstream' },
      },
      { name: 'pilot', when: 'tags.ring == 2', modules: { logger: { image: 'a.io/logger:1' } } },
      { name: 'quiet', when: 'tags.ring == 3', routes: { toCloud: null } },
    ],
    { registries: [{ address: 'a.io', username: 'setting:ACR_USER', password: 'setting:ACR_PASSWORD' }] },
  );
const foreignManifest = (image: number): JsonObject => ({
  schemaVersion: '1.1',
  modules: { other: { settings: { image: `other:${image}` } } },
});

async function play(steps: readonly Step[]): Promise<void> {
  const world = new EdgeWorld(fleetOf(1));
  world.settings = () => SECRET;
  /** Per device, in order: what was applied by Berth, and `other` for another writer or a lost answer. */
  const past = new Map<string, string[]>(DEVICES.map((device) => [device, []]));
  let seen = 0;
  const note = () => {
    for (const { deviceId, content } of world.applied.slice(seen)) {
      past.get(deviceId)?.push(canonicalJson(content));
      if (world.fault !== undefined) past.get(deviceId)?.push('other');
    }
    seen = world.applied.length;
  };
  const rings = new Map<string, number>();
  let version = 1;
  for (const device of DEVICES) {
    world.createDevice(device, { ring: 1 });
    rings.set(device, 1);
  }
  world.applyByOther(FOREIGN, foreignManifest(1));
  await world.takeEvents();
  note();
  for (const each of steps) {
    world.now = plus(world.now, 5_000);
    switch (each.kind) {
      case 'tags':
        world.setTags(each.device, { ring: each.ring });
        rings.set(each.device, each.ring);
        break;
      case 'deploy':
        version = each.version;
        await world.deploy(fleetOf(version));
        break;
      case 'foreign':
        note();
        world.applyByOther(each.device, foreignManifest(each.image));
        past.get(each.device)?.push('other');
        break;
      case 'fault':
        world.fault = each.fault;
        break;
      case 'lose':
        world.loseEvents();
        break;
      case 'run':
        for (const device of DEVICES)
          if (device !== FOREIGN && world.applied.length > 0) runIfThere(world, device);
        break;
      case 'take':
        await world.takeEvents();
        break;
      case 'wait':
        await world.after(700);
        break;
    }
    note();
  }
  // The world calms down: calls work, an audit finds what lost events have hidden, and waits end.
  world.fault = undefined;
  for (const deviceId of DEVICES) {
    for (const moduleId of [undefined, '$edgeAgent', '$edgeHub']) {
      const mark = {
        since: NEVER,
        why: 'audit',
        priority: 'resync',
        isResync: true,
        now: world.now,
      } as const;
      await markForRead(world.store, { host: HOST, deviceId, moduleId }, mark);
    }
  }
  for (let times = 0; times < 4; times += 1) await world.after(3_700);
  for (const device of DEVICES) if (device !== FOREIGN) runIfThere(world, device);
  await world.takeEvents();
  await world.after(60);
  note();

  expect(world.applied.filter(({ deviceId }) => deviceId === FOREIGN)).toEqual([]);
  expect(world.statusOf(FOREIGN)).toContain('contested: it has a manifest that Berth did not apply');
  expect(world.stored()).not.toContain(SECRET);
  expect(world.warnings.join('\n')).not.toContain(SECRET);
  for (const device of DEVICES) {
    if (device === FOREIGN) continue;
    const ring = rings.get(device);
    expect([device, world.statusOf(device)]).toEqual([device, 'inSync']);
    expect(imagesOn(world, device)).toEqual([
      ...(ring === 2 ? ['a.io/logger:1'] : []),
      `a.io/sensor:${version}`,
    ]);
    expect(Object.keys(world.twin(device, '$edgeHub').desired.values.routes as JsonObject)).toEqual(
      ring === 3 ? [] : ['toCloud'],
    );
    expect(world.snapshot(device).edge?.intent).toBeUndefined();
    expect(needless(past.get(device) ?? [])).toEqual([]);
  }
}

function runIfThere(world: EdgeWorld, device: string): void {
  const { desired } = world.twin(device, '$edgeAgent');
  if (desired.values.systemModules !== undefined) world.runManifest(device);
}

function imagesOn(world: EdgeWorld, device: string): readonly string[] {
  const modules = world.twin(device, '$edgeAgent').desired.values.modules as JsonObject;
  return Object.values(modules)
    .map((module) => String(((module as JsonObject).settings as JsonObject).image))
    .sort();
}

/** Applies of the content that the device had already. */
function needless(past: readonly string[]): readonly string[] {
  return past.filter((content, index) => content !== 'other' && content === past[index - 1]);
}

test('every device ends with the manifest that the file implies, and no manifest of others is replaced', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => play(steps)),
    { numRuns: 25 },
  );
}, 120_000);
