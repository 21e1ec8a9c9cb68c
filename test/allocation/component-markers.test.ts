import { describe, expect, test } from '@jest/globals';
import { NO_CONDITIONS } from '../../src/allocation/conditions.ts';
import { type DecideInput, decide } from '../../src/allocation/decision/decide.ts';
import { type Receipt, receiptOf } from '../../src/allocation/receipt/receipt.ts';
import { recompute } from '../../src/allocation/receipt/recompute.ts';
import type { JsonObject, JsonValue } from '../../src/json/json.ts';
import { EPOCH } from '../../src/time/epoch-ms.ts';
import { fleetOf, requestOf } from './requests.ts';

const WEU = 'weu.azure-devices.net';
const CONTROLLER = 'dtmi:com:example:TemperatureController;1';
const MODELS = { [CONTROLLER]: ['deviceInformation', 'thermostat1', 'thermostat2'] };
const LAYER = { name: 'base', desired: { thermostat1: { targetTemperature: 21 }, net: { dns: 'a' } } };
const POLICY = { name: 'warm', desired: { thermostat1: { targetTemperature: 21 } } };
const MARKS = { name: 'marks', desired: { thermostat1: { __t: 'c' } } };

interface Given {
  readonly layers?: readonly JsonObject[];
  readonly policies?: readonly JsonObject[];
  /** Desired properties of the enrollment's own twin. */
  readonly own?: JsonObject;
  readonly payload?: JsonValue | undefined;
  readonly context?: JsonObject;
}

function inputOf({ layers = [], policies = [], own, payload, context = {} }: Given): DecideInput {
  return {
    request: requestOf({
      linkedHubs: [WEU],
      context: { ...context, ...(payload === undefined ? {} : { payload }) },
      group: own === undefined ? {} : { initialTwin: { properties: { desired: own } } },
    }),
    fleet: fleetOf({ twins: { initial: layers, policies }, models: MODELS }),
    conditions: NO_CONDITIONS,
    now: EPOCH,
  };
}

const desiredOf = (given: Given) => decide(inputOf(given)).twin.twin?.desired;
const ANNOUNCED = { modelId: CONTROLLER };

describe('the marker of a component in an initial twin', () => {
  test('is added when the device announces its model, and the root gets no marker', () => {
    expect(desiredOf({ layers: [LAYER], payload: ANNOUNCED })).toEqual({
      thermostat1: { __t: 'c', targetTemperature: 21 },
      net: { dns: 'a' },
    });
  });

  test('is added to the twin of the enrollment', () => {
    expect(desiredOf({ own: { thermostat2: { targetTemperature: 22 } }, payload: ANNOUNCED })).toEqual({
      thermostat2: { __t: 'c', targetTemperature: 22 },
    });
  });

  test('is added on its own when a policy will write to a component of the model', () => {
    expect(desiredOf({ policies: [POLICY], payload: ANNOUNCED })).toEqual({ thermostat1: { __t: 'c' } });
  });

  test('is not added for components that no device policy writes to', () => {
    const policies = [
      { ...POLICY, target: 'module:collector' },
      { name: 'flat', desired: { thermostat2: 1 } },
    ];

    expect(desiredOf({ policies, payload: ANNOUNCED })).toBeUndefined();
  });

  test('is added when a policy without a condition sets the marker', () => {
    expect(desiredOf({ layers: [LAYER], policies: [MARKS] })).toEqual({
      thermostat1: { __t: 'c', targetTemperature: 21 },
      net: { dns: 'a' },
    });
  });

  test.each([
    ["deviceId.startsWith('dev')", true],
    ["hub.labels.residency == 'eu'", true],
    ["hub.labels.residency == 'us'", false],
    ["tags.site == 'ams'", false],
    ['!has(reported.battery)', false],
  ])('follows the condition %s of a policy that sets it (marker added: %s)', (when, isThere) => {
    const context = { registrationId: 'dev-1' };
    const desired = desiredOf({ layers: [LAYER], policies: [{ ...MARKS, when }], context });

    expect(desired?.thermostat1).toEqual({ ...(isThere ? { __t: 'c' } : {}), targetTemperature: 21 });
  });

  test.each<[string, JsonValue | undefined]>([
    ['nothing', undefined],
    ['another model', { modelId: 'dtmi:com:example:TemperatureController;2' }],
    ['a model that is not a text', { modelId: [CONTROLLER] }],
    ['a payload that is not an object', CONTROLLER],
  ])('is not added when the device sends %s', (_, payload) => {
    expect(desiredOf({ layers: [LAYER], policies: [POLICY], payload })).toEqual(LAYER.desired);
  });

  test('keeps the value that a layer or the enrollment sets', () => {
    const own = { thermostat1: { __t: 'x', a: 1 } };

    expect(desiredOf({ own, payload: ANNOUNCED })).toEqual(own);
  });

  test('is not added to a value that is not an object', () => {
    const own = { thermostat1: 21, thermostat2: {} };

    expect(desiredOf({ own, policies: [POLICY], payload: ANNOUNCED })).toEqual(own);
  });

  test('is not sent when DPS would ignore the twin', () => {
    const context = { currentIotHubHostName: 'old.azure-devices.net' };

    expect(desiredOf({ policies: [POLICY], payload: ANNOUNCED, context })).toBeUndefined();
  });

  test('has its source in the receipt, and the receipt recomputes', () => {
    const own = { thermostat2: { targetTemperature: 22 } };
    const input = inputOf({ layers: [LAYER], policies: [MARKS], own, payload: ANNOUNCED });
    const receipt = JSON.parse(JSON.stringify(receiptOf(input, decide(input)))) as Receipt;

    expect(receipt.twin.provenance).toMatchObject({
      'desired.thermostat1.__t': `model ${CONTROLLER}`,
      'desired.thermostat2.__t': `model ${CONTROLLER}`,
    });
    expect(receipt.inputs.read).toEqual({ 'payload.modelId': CONTROLLER });
    expect(recompute(receipt, input.fleet).differences).toEqual([]);
  });

  test('is left out and noted when the section would be too large', () => {
    const texts = Object.fromEntries(
      Array.from({ length: 8 }, (_, index) => [`t${index}`, 'x'.repeat(4_080)]),
    );
    // The texts take 32,656 bytes and the component 109. The marker needs 4 bytes, and 3 are left.
    const own = { ...texts, thermostat1: { a: 'x'.repeat(97) } };
    const { twin } = decide(inputOf({ own, payload: ANNOUNCED }));

    expect(twin.twin?.desired).toEqual(own);
    expect(twin.omitted).toEqual([
      {
        path: ['desired', 'thermostat1', '__t'],
        why: `model ${CONTROLLER}: desired would be larger than 32768 bytes`,
      },
    ]);
  });
});
