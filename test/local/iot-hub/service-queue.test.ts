import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { SharedAccessSignature } from 'azure-iot-common';
import { openServiceQueue, type ServiceQueue } from '../../../local/iot-hub/hub/service-queue.ts';
import { type Answer, type LocalHubs, startLocalHubs, testKey, WEU } from './local-hubs.ts';

const MINUTE = 60_000;

describe('a queue for services', () => {
  let clock: number;
  let queue: ServiceQueue;

  beforeEach(() => {
    clock = 1_700_000_000_000;
    queue = openServiceQueue(undefined, () => clock);
  });
  const receive = () => {
    const message = queue.receive();
    if (message === undefined) throw new Error('there is no message');
    return message;
  };

  test('gives each message to one receiver, the oldest first', () => {
    queue.add('1');
    queue.add('2');

    expect([receive().body, receive().body, queue.receive()]).toEqual(['1', '2', undefined]);
  });

  test('gives a message again after a minute, and the old lock is lost', () => {
    queue.add('1');
    const { lockToken } = receive();
    clock += MINUTE;

    expect(receive().body).toBe('1');
    expect(queue.complete(lockToken)).toBe(false);
  });

  test('tells its listeners when a lock has expired', () => {
    queue.add('1');
    receive();
    let told = 0;
    const stop = queue.onMessage(() => {
      told += 1;
    });
    queue.look();
    expect(told).toBe(0);
    clock += MINUTE;
    queue.look();
    expect(told).toBe(1);
    stop();
    queue.add('2');
    expect(told).toBe(1);
  });

  test('drops a message that is given back ten times', () => {
    queue.add('1');
    for (let times = 0; times < 10; times += 1) expect(queue.abandon(receive().lockToken)).toBe(true);

    expect(queue.receive()).toBeUndefined();
  });

  test('drops a message after an hour', () => {
    queue.add('1');
    clock += 60 * MINUTE;

    expect(queue.receive()).toBeUndefined();
  });

  test('a completed message is gone', () => {
    queue.add('1');
    const { lockToken } = receive();

    expect([queue.complete(lockToken), queue.complete(lockToken)]).toEqual([true, false]);
    clock += MINUTE;
    expect(queue.receive()).toBeUndefined();
  });
});

describe('feedback over HTTPS', () => {
  const FEEDBACK = '/messages/serviceBound/feedback';
  const KEY = testKey(1);
  let local: LocalHubs;
  let asDevice: { readonly headers: Record<string, string> };

  beforeEach(async () => {
    local = await startLocalHubs();
    await local.registry(WEU).create({
      deviceId: 'dev-1',
      authentication: { symmetricKey: { primaryKey: KEY, secondaryKey: KEY } },
    });
    const expiry = Math.ceil(Date.now() / 1000) + 3600;
    const resource = encodeURIComponent(`${WEU}/devices/dev-1`);
    const token = SharedAccessSignature.create(resource, '', KEY, expiry).toString();
    asDevice = { headers: { authorization: token } };
  });
  afterEach(() => local.close());

  const send = () =>
    local.call('POST', '/devices/dev-1/messages/deviceBound', {
      body: 'x',
      headers: { 'iothub-ack': 'full', 'iothub-messageid': 'm-1' },
    });
  const lockOf = ({ headers }: Answer) => String(headers.etag).replaceAll('"', '');
  const receive = () => local.call('GET', '/devices/dev-1/messages/deviceBound', asDevice);
  async function feedback(): Promise<Answer> {
    for (let tries = 0; tries < 400; tries += 1) {
      const answer = await local.call('GET', FEEDBACK);
      if (answer.status !== 204) return answer;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error('there is no feedback');
  }

  test('a rejected message gives feedback that can be abandoned and completed', async () => {
    expect((await local.call('GET', FEEDBACK)).status).toBe(204);
    await send();
    await local.call(
      'DELETE',
      `/devices/dev-1/messages/deviceBound/${lockOf(await receive())}?reject`,
      asDevice,
    );

    const first = await feedback();
    expect(first.body).toMatchObject([
      { originalMessageId: 'm-1', statusCode: 'Rejected', deviceId: 'dev-1' },
    ]);
    expect((await local.call('POST', `${FEEDBACK}/${lockOf(first)}/abandon`)).status).toBe(204);
    const second = await local.call('GET', FEEDBACK.toLowerCase());
    expect(second.body).toEqual(first.body);
    expect((await local.call('DELETE', `${FEEDBACK}/${lockOf(second)}`)).status).toBe(204);
    expect((await local.call('DELETE', `${FEEDBACK}/${lockOf(second)}`)).status).toBe(412);
    expect((await local.call('GET', FEEDBACK)).status).toBe(204);
    expect((await local.call('GET', '/messages/serviceBound/filenotifications')).status).toBe(204);
  });

  test('a message that is delivered ten times in vain gives feedback', async () => {
    await send();
    for (let times = 0; times < 10; times += 1) {
      const path = `/devices/dev-1/messages/deviceBound/${lockOf(await receive())}/abandon`;
      expect((await local.call('POST', path, asDevice)).status).toBe(204);
    }
    expect((await receive()).status).toBe(204);

    expect((await feedback()).body).toMatchObject([
      { originalMessageId: 'm-1', statusCode: 'DeliveryCountExceeded' },
    ]);
  });
});
