import { once } from 'node:events';
import { Agent } from 'node:https';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { NoRetry } from 'azure-iot-common';
import { Client, Message } from 'azure-iot-device';
import { Http } from 'azure-iot-device-http';
import { type LocalHubs, startLocalHubs, type TransportName, testKey, until, WEU } from './local-hubs.ts';

const KEY = testKey(1);

describe('faults that a device asks for with a message', () => {
  let local: LocalHubs;
  let agent: Agent;
  let https: Client | undefined;

  beforeEach(async () => {
    local = await startLocalHubs();
    const authentication = { symmetricKey: { primaryKey: KEY, secondaryKey: testKey(9) } };
    await local.registry(WEU).create({ deviceId: 'dev-1', authentication });
    local.events.length = 0;
    agent = new Agent({ host: '127.0.0.1', port: local.ports.https, ca: local.authority.root });
  });
  afterEach(async () => {
    await https?.close();
    https = undefined;
    agent.destroy();
    await local.close();
  });

  const overHttps = async (): Promise<Client> => {
    https = Client.fromConnectionString(`HostName=${WEU};DeviceId=dev-1;SharedAccessKey=${KEY}`, Http);
    // Without a receive policy, the SDK never ends this call.
    await https.setOptions({ http: { agent, receivePolicy: { interval: 1 } } });
    return https;
  };

  const open = async (transport: TransportName | 'Http'): Promise<Client> => {
    const device =
      transport === 'Http' ? await overHttps() : await local.device(WEU, 'dev-1', KEY, transport);
    device.setRetryPolicy(new NoRetry());
    await device.open();
    return device;
  };
  const faulty = (type: string, seconds = 0.05): Message => {
    const message = new Message('fault');
    message.properties.add('AzIoTHub_FaultOperationType', type);
    message.properties.add('AzIoTHub_FaultOperationCloseReason', 'boom');
    message.properties.add('AzIoTHub_FaultOperationDelayInSecs', String(seconds));
    message.properties.add('AzIoTHub_FaultOperationDurationInSecs', '0.5');
    return message;
  };
  const connected = () => local.hubs.view(WEU)?.connectedCount;

  test.each<[TransportName, string]>([
    ['Mqtt', 'KillTcp'],
    ['MqttWs', 'ShutDownMqtt'],
    ['Amqp', 'KillTcp'],
    ['AmqpWs', 'KillTcp'],
    ['Amqp', 'KillAmqpCBSLinkReq'],
  ])('over %s, %s ends the connection after its delay', async (transport, type) => {
    const device = await open(transport);
    const ended = once(device, 'disconnect');

    await device.sendEvent(faulty(type));
    expect(connected()).toBe(1);
    await ended;

    await until(() => connected() === 0, 'the end of the connection');
  });

  test('over AMQP, the end of the telemetry link leaves the rest of the connection', async () => {
    const device = await open('Amqp');
    const twin = await device.getTwin();
    await device.sendEvent(faulty('KillAmqpD2CLink', 0));
    // A message that the device sends while the link ends is refused. The SDK has no event for the end of this link.
    const { _transport: transport } = device as unknown as {
      readonly _transport: { readonly _d2cLink?: unknown };
    };
    await until(() => !transport._d2cLink, 'the end of the link');

    await device.sendEvent(new Message('again'));

    expect(connected()).toBe(1);
    expect(twin.properties.desired).toBeDefined();
    expect(local.events.at(-1)?.body).toBe('again');
  });

  test.each<[TransportName | 'Http', string, string]>([
    ['Amqp', 'InvokeThrottling', 'ThrottlingError'],
    ['Amqp', 'InvokeMaxMessageQuota', 'IotHubQuotaExceededError'],
    ['Amqp', 'InvokeAuthError', 'UnauthorizedError'],
    ['Http', 'InvokeThrottling', 'Error'],
    ['Http', 'InvokeMaxMessageQuota', 'IotHubQuotaExceededError'],
    ['Http', 'InvokeAuthError', 'UnauthorizedError'],
  ])('over %s, %s refuses messages with %s for its duration', async (transport, type, name) => {
    const device = await open(transport);
    await device.sendEvent(faulty(type, 0));
    await new Promise((resolve) => setTimeout(resolve, 50));

    await expect(device.sendEvent(new Message('refused'))).rejects.toMatchObject({ name });
    await new Promise((resolve) => setTimeout(resolve, 600));
    await device.sendEvent(new Message('taken'));

    expect(local.events.at(-1)?.body).toBe('taken');
  });

  test('the message itself reaches no consumer, and an unknown fault is an ordinary message', async () => {
    const device = await open('Mqtt');

    await device.sendEvent(faulty('KillAmqpSession', 0));
    await device.sendEvent(faulty('SomethingElse', 0));

    const types = local.events.map(({ properties }) => properties.AzIoTHub_FaultOperationType);
    expect(types.filter((type) => type !== undefined)).toEqual(['SomethingElse']);
    expect(connected()).toBe(1);
  });
});
