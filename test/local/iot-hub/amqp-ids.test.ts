import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { SharedAccessSignature } from 'azure-iot-common';
import rhea, { type Message } from 'rhea';
import { addressReadings } from '../../../local/iot-hub/model/address.ts';
import { connectRaw, deliver, type RawClient } from '../event-hubs/raw-client.ts';
import { type LocalHubs, serviceToken, startLocalHubs, testKey, until, WEU } from './local-hubs.ts';

/* Ids of devices may contain `%`. In an address of AMQP, the SDKs for Node.js and C# encode ids, and the SDK for C does not. */

const KEY = testKey(1);
const IDS = ['50%', 'a%41', 'a%2Fb', 'x%zz', '100%25', "A-:._*?!(),=@;$'"];
/** The hub also has the device `bA`, with another key. A service that does not encode this id means that device. */
const AMBIGUOUS = 'b%41';

const data = (text: string, more: object = {}) =>
  ({ ...more, body: rhea.message.data_section(Buffer.from(text)) }) as unknown as Message;

describe('over AMQP', () => {
  let local: LocalHubs;
  const clients: RawClient[] = [];

  beforeAll(async () => {
    local = await startLocalHubs();
    const authentication = { symmetricKey: { primaryKey: KEY, secondaryKey: KEY } };
    for (const deviceId of [...IDS, AMBIGUOUS])
      await local.registry(WEU).create({ deviceId, authentication });
    const other = { symmetricKey: { primaryKey: testKey(2), secondaryKey: testKey(2) } };
    await local.registry(WEU).create({ deviceId: 'bA', authentication: other });
    await local.registry(WEU).addModule({ deviceId: '50%', moduleId: '7%41', authentication });
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.destroy();
  });
  afterAll(() => local.close());

  const connect = async (name: string, token: string): Promise<RawClient> => {
    const client = await connectRaw(local.ports.amqps, {
      transport: 'tls',
      ca: local.authority.root,
      host: 'localhost',
      hostname: WEU,
      username: undefined,
      password: undefined,
    });
    clients.push(client);
    const replies = await client.receiver('$cbs', { target: 'me' });
    const sender = await client.sender('$cbs');
    sender.send({
      message_id: 'a',
      reply_to: 'me',
      application_properties: { operation: 'put-token', type: 'sastoken', name },
      body: token,
    });
    const [answer] = await replies.take(1);
    expect(answer?.application_properties?.['status-code']).toBe(200);
    return client;
  };
  const asDevice = (path: string) => {
    const token = SharedAccessSignature.create(
      encodeURIComponent(`${WEU}/${path}`),
      '',
      KEY,
      Math.ceil(Date.now() / 1000) + 3600,
    );
    return connect(`${WEU}/${path}`, token.toString());
  };
  const FORMS = [
    ['encoded', encodeURIComponent],
    ['not encoded', (id: string) => id],
  ] as const;
  const casesOf = (ids: readonly string[]) =>
    ids.flatMap((id) => FORMS.map(([form, write]) => [id, form, write(id)] as const));

  test.each(casesOf([...IDS, AMBIGUOUS]))(
    'the device %s sends with its id %s',
    async (id, _form, written) => {
      const client = await asDevice(`devices/${written}`);
      const link = await client.sender(`/devices/${written}/messages/events`);
      const before = local.events.length;

      expect(await deliver(link, data('x'))).toMatchObject({ result: 'accepted' });

      const sent = local.events.slice(before).find(({ properties }) => properties.opType === undefined);
      expect(sent?.annotations).toMatchObject({ 'iothub-connection-device-id': id });
    },
  );

  test.each(casesOf(IDS))(
    'a service sends a message to the device %s with its id %s',
    async (id, _form, written) => {
      const count = () => local.hubs.view(WEU)?.twin(id)?.cloudToDeviceMessageCount;
      const before = Number(count());
      const client = await connect(WEU, serviceToken());
      const link = await client.sender('/messages/devicebound');

      const to = `/devices/${written}/messages/devicebound`;
      expect(await deliver(link, data('x', { to }))).toMatchObject({ result: 'accepted' });

      await until(() => count() === before + 1, 'the message in the queue');
    },
  );

  test.each(FORMS)('a module sends with its ids %s', async (_form, write) => {
    const path = `devices/${write('50%')}/modules/${write('7%41')}`;
    const client = await asDevice(path);
    const link = await client.sender(`/${path}/messages/events`);

    expect(await deliver(link, data('x'))).toMatchObject({ result: 'accepted' });
    expect(local.events.at(-1)?.annotations).toMatchObject({ 'iothub-connection-module-id': '7%41' });
  });

  test('a user id of sixteen bytes reaches the device as its text', async () => {
    const client = await connect(WEU, serviceToken());
    const link = await client.sender('/messages/devicebound');
    const to = '/devices/bA/messages/devicebound';
    await deliver(link, data('x', { to, user_id: Buffer.from('sixteen-letters!') }));

    const token = SharedAccessSignature.create(
      encodeURIComponent(`${WEU}/devices/bA`),
      '',
      testKey(2),
      Math.ceil(Date.now() / 1000) + 3600,
    );
    const { headers } = await local.call('GET', to, { headers: { authorization: token.toString() } });

    expect(headers['iothub-userid']).toBe('sixteen-letters!');
  });
});

test('an id in an address has up to three readings, and the encoded one comes first', () => {
  expect(addressReadings('dev-1')).toEqual([{ deviceId: 'dev-1' }]);
  expect(addressReadings('a%2541', 'm')).toEqual([
    { deviceId: 'a%41', moduleId: 'm' },
    { deviceId: 'a%2541', moduleId: 'm' },
    { deviceId: 'aA', moduleId: 'm' },
  ]);
});
