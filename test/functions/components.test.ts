import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Client, type Twin } from 'azure-iot-device';
import { Mqtt } from 'azure-iot-device-mqtt';
import { type CertificateAuthority, openAuthority } from '../../local/ca/index.ts';
import { type MqttServer, startMqtt } from '../../local/mqtt/index.ts';
import type { Instance } from '../../src/instance/instance.ts';
import { isObject, type JsonObject, type JsonValue } from '../../src/json/json.ts';
import { FunctionApp, type FunctionAppOptions } from '../support/function-app.ts';

const KEY = Buffer.alloc(32, 7).toString('base64');
const CONTROLLER = 'dtmi:com:example:TemperatureController;1';
const MODEL = {
  '@context': 'dtmi:dtdl:context;2',
  '@id': CONTROLLER,
  '@type': 'Interface',
  contents: [{ '@type': 'Component', name: 'thermostat1', schema: 'dtmi:com:example:Thermostat;1' }],
};
const WARM = { name: 'warm', desired: { thermostat1: { targetTemperature: 21 } } };

/**
 * A device that takes messages as the C device SDK does (1.15, `iothub_client_properties.c`): an object is a component
 * if the message at hand, the whole twin or a patch, has the marker in it. Everything else is a property of the root, of
 * which this device has none, so it does nothing and answers nothing.
 */
class Controller {
  /** The target temperatures that it has applied, the newest last. */
  readonly applied: JsonValue[] = [];
  readonly #client: Client;
  #twin: Twin | undefined;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Reads the whole twin, as after each start, and follows its changes. */
  async start(): Promise<void> {
    await this.#client.open();
    this.#twin = await this.#client.getTwin();
    this.#twin.on('properties.desired', (message: JsonObject) => void this.#take(message));
  }

  async report(values: JsonObject): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#twin?.properties.reported.update(values, (error: Error | null) =>
        error ? reject(error) : resolve(),
      );
    });
  }

  async #take({ $version, ...message }: JsonObject): Promise<void> {
    for (const [name, properties] of Object.entries(message)) {
      if (!isObject(properties) || properties.__t !== 'c') continue;
      const { targetTemperature } = properties;
      if (name !== 'thermostat1' || targetTemperature === undefined) continue;
      this.applied.push(targetTemperature);
      const answer = { value: targetTemperature, ac: 200, av: $version ?? null, ad: 'applied' };
      await this.report({ thermostat1: { __t: 'c', targetTemperature: answer } });
    }
  }
}

let authority: CertificateAuthority;
let app: FunctionApp;
let instance: Instance;
let mqtt: MqttServer;
const clients: Client[] = [];
beforeAll(async () => {
  authority = await openAuthority();
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await mqtt.close();
  await app.close();
});

const open = async (options: FunctionAppOptions) => {
  app = await FunctionApp.open(options);
  mqtt = await startMqtt({ port: 0, services: [app.mqtt], certificate: authority.server });
  instance = app.instance();
};
const device = async (deviceId: string, modelId?: string): Promise<Controller> => {
  const client = Client.fromConnectionString(
    `HostName=${app.host};DeviceId=${deviceId};SharedAccessKey=${KEY};GatewayHostName=localhost:${mqtt.port}`,
    Mqtt,
  );
  await client.setOptions({ ca: authority.root, ...(modelId === undefined ? {} : { modelId }) });
  clients.push(client);
  return new Controller(client);
};
/** Hands events over, and does what is due, until `isSo`. */
const until = async (isSo: () => Promise<boolean> | boolean) => {
  for (let turn = 0; turn < 40; turn += 1) {
    if (app.events.length > 0) await app.deliver(instance);
    else {
      app.pass(1_000);
      await app.resync(instance);
    }
    if (await isSo()) return;
    await delay(25);
  }
};
const isInSync = async (deviceId: string) => {
  const { lastReconcile, reported } = await app.snapshot(deviceId);
  return lastReconcile.status === 'inSync' && Object.keys(reported).length > 0;
};

describe('a Plug and Play device that looks for the marker in each message', () => {
  test('accepts the first value although Berth wrote it before it knew the component', async () => {
    await open({ policies: [WARM] });
    app.create('late', {});
    await app.deliver(instance);
    const controller = await device('late');
    await controller.start();
    await delay(100);
    const before = [...controller.applied];

    await controller.report({ thermostat1: { __t: 'c', maxTempSinceLastReboot: 30 } });
    await until(() => isInSync('late'));

    expect(before).toEqual([]);
    expect(controller.applied).toEqual([21]);
    expect(app.patches('late')).toBe(2);
  });

  test('accepts each correction of an edit and each change of a policy without a new connection', async () => {
    await open({ policies: [WARM] });
    app.create('edited', {});
    await app.deliver(instance);
    const controller = await device('edited');
    await controller.start();
    await controller.report({ thermostat1: { __t: 'c', maxTempSinceLastReboot: 30 } });
    await until(() => isInSync('edited'));

    const edit = { properties: { desired: { thermostat1: { __t: 'c', targetTemperature: 31 } } } };
    await app.service('PATCH', '/twins/edited', edit);
    await until(() => controller.applied.at(-1) === 21 && controller.applied.length === 3);
    await until(() => isInSync('edited'));
    app.writeFleet([{ ...WARM, desired: { thermostat1: { targetTemperature: 24 } } }]);
    instance = app.instance();
    await controller.report({ thermostat1: { __t: 'c', maxTempSinceLastReboot: 32 } });
    await until(() => controller.applied.at(-1) === 24);
    await until(() => isInSync('edited'));

    expect(controller.applied).toEqual([21, 31, 21, 24]);
    expect(await isInSync('edited')).toBe(true);
  });

  test('is recognised by its model alone, which the answer to a write contains', async () => {
    await open({ policies: [WARM], models: { 'controller.json': MODEL } });
    app.create('modelled', {});
    const controller = await device('modelled', CONTROLLER);
    await controller.start();

    await until(() => controller.applied.length > 0);
    await until(() => isInSync('modelled'));

    expect(controller.applied).toEqual([21]);
    expect(await app.snapshot('modelled')).toMatchObject({
      modelId: CONTROLLER,
      lastReconcile: { status: 'inSync' },
    });
    expect([app.patches('modelled'), app.reads('modelled')]).toEqual([2, 0]);
  });

  test('finds the value of a policy that sets the marker in its twin when it starts', async () => {
    await open({ policies: [{ ...WARM, desired: { thermostat1: { __t: 'c', targetTemperature: 21 } } }] });
    app.create('said', {});
    await app.deliver(instance);
    const controller = await device('said');
    await controller.start();
    await until(() => isInSync('said'));

    expect(controller.applied).toEqual([21]);
    expect(app.patches('said')).toBe(1);
  });
});
