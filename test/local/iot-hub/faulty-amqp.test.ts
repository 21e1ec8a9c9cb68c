import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Message, NoRetry } from 'azure-iot-common';
import type { Client } from 'azure-iothub';
import type { FaultSettings, HubView } from '../../../local/iot-hub/index.ts';
import { realTime } from '../../support/clock.ts';
import {
  type LocalHubs,
  report,
  startLocalHubs,
  type TransportName,
  testKey,
  until,
  WEU,
} from './local-hubs.ts';
import { NO_FAULTS } from './no-faults.ts';

/* Faults apply to services and devices over every transport. faulty-service.test.ts has the calls over HTTPS. */

const KEY = testKey(1);

let local: LocalHubs;
/** Milliseconds by which the hubs' clock goes before the real one. */
let passed: number;
let hub: HubView;

beforeEach(async () => {
  passed = 0;
  local = await startLocalHubs({ now: () => Date.now() + passed });
  const view = local.hubs.view(WEU);
  if (view === undefined) throw new Error('there is no hub');
  hub = view;
  const authentication = { symmetricKey: { primaryKey: KEY, secondaryKey: testKey(9) } };
  await local.registry(WEU).create({ deviceId: 'dev-1', authentication });
});
afterEach(() => local.close());

const set = (settings: Partial<FaultSettings>) => hub.setFaults({ ...NO_FAULTS, ...settings });
const queued = () => hub.twin('dev-1')?.cloudToDeviceMessageCount;
const counts = () => hub.faults?.counts;

describe.each([false, true])('a service over AMQP (WebSocket: %s) while faults are active', (isWebSocket) => {
  let service: Client;
  beforeEach(async () => {
    service = local.service(WEU, { isWebSocket });
    service.setRetryPolicy(new NoRetry());
    await service.open();
  });

  /** The names of the errors of some messages; undefined for a message that the hub took. */
  async function send(messages: number): Promise<readonly (string | undefined)[]> {
    const errors: (string | undefined)[] = [];
    for (let count = 0; count < messages; count += 1) {
      errors.push(
        await service.send('dev-1', new Message('hello')).then(
          () => undefined,
          (error) => error.name,
        ),
      );
    }
    return errors;
  }

  test('latency delays a message', async () => {
    set({ latencyMs: 80 });
    const began = performance.now();

    expect(await send(1)).toEqual([undefined]);
    expect(performance.now() - began).toBeGreaterThanOrEqual(79);
    expect(counts()).toMatchObject({ latency: 1 });
  });

  test('a throttled message is refused, and the device does not get it', async () => {
    set({ throttleRate: 1 });

    expect(await send(2)).toEqual(['ThrottlingError', 'ThrottlingError']);
    expect(queued()).toBe(0);
    expect(counts()).toMatchObject({ throttle: 2 });
    expect(hub.counters.throttled).toBe(2);
  });

  test('a message that gets an error is in the queue of the device half of the time', async () => {
    set({ errorRate: 1 });

    const errors = await send(20);

    expect(errors.every((name) => name !== undefined)).toBe(true);
    expect(queued()).toBeGreaterThan(2);
    expect(queued()).toBeLessThan(18);
    expect(counts()).toMatchObject({ error: 20 });
  });

  test('an outage refuses messages and links, and passes', async () => {
    const receiving = local.service(WEU, { isWebSocket });
    receiving.setRetryPolicy(new NoRetry());
    await receiving.open();
    set({ outageMs: 60_000 });

    expect(await send(1)).not.toEqual([undefined]);
    // The hub attaches the link and detaches it with the error, so the SDK may give out a receiver first.
    await receiving.getFeedbackReceiver().catch(() => {});
    await until(() => counts()?.outage === 2, 'the refusal of the link');
    expect(queued()).toBe(0);
    passed = 60_000;

    expect(await send(1)).toEqual([undefined]);
    expect(queued()).toBe(1);
  });

  test('a message without an answer waits, and the end of the hub ends the wait', async () => {
    set({ timeoutRate: 1 });
    let isSettled = false;
    const settle = () => {
      isSettled = true;
    };

    service.send('dev-1', new Message('hello')).then(settle, settle);
    await until(() => counts()?.timeout === 1, 'the fault');
    await realTime(50);

    expect(isSettled).toBe(false);
  });
});

describe.each<TransportName>(['Mqtt', 'MqttWs', 'Amqp', 'AmqpWs'])(
  'a device over %s while faults are active',
  (transport) => {
    const open = async () => {
      const client = await local.device(WEU, 'dev-1', KEY, transport);
      client.setRetryPolicy(new NoRetry());
      await client.open();
      return client;
    };
    const write = (rate: number) =>
      local.registry(WEU).updateTwin('dev-1', { properties: { desired: { rate } } }, '*');

    test('gets no notification of a change when it is dropped, and reads the change', async () => {
      const client = await open();
      const twin = await client.getTwin();
      const rates: unknown[] = [];
      twin.on('properties.desired', ({ rate }) => {
        if (rate !== undefined) rates.push(rate);
      });
      await report(twin, { isListening: true }); // the subscription is in force before
      for (let rate = 1; rates.length === 0; rate += 1) {
        await write(rate);
        await realTime(50);
      }
      rates.length = 0;

      set({ notificationDropRate: 1 });
      await write(1000);
      await until(() => counts()?.notificationDrop === 1, 'the fault');
      hub.clearFaults();
      await write(1001);
      await until(() => rates.length > 0, 'the next notification');

      expect(rates).toEqual([1001]);
    });

    test('loses its connection when the hub fails over', async () => {
      const client = await open();
      const ended = new Promise((resolve) => client.on('disconnect', resolve));
      await client.getTwin();

      set({ failover: true });

      await ended;
      expect(hub.connectedCount).toBe(0);
    });
  },
);
