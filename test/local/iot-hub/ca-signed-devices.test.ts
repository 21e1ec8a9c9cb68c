import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { NoRetry } from 'azure-iot-common';
import { Message } from 'azure-iot-device';
import { type KeyedCertificate, openAuthority } from '../../../local/ca/index.ts';
import { type LocalHubs, startLocalHubs, type TransportName, testKey, WEU } from './local-hubs.ts';

describe('devices with a certificate that a CA of the hub has signed', () => {
  let local: LocalHubs;

  beforeEach(async () => {
    local = await startLocalHubs();
    const authentication = { type: 'certificateAuthority' };
    await local.registry(WEU).create({ deviceId: 'dev-1', authentication });
    local.events.length = 0;
  });
  afterEach(() => local.close());

  const sending = async (
    certificate: KeyedCertificate | string,
    transport: TransportName = 'Mqtt',
  ): Promise<unknown> => {
    const device = await local.device(WEU, 'dev-1', certificate, transport);
    device.setRetryPolicy(new NoRetry());
    await device.open();
    return device.sendEvent(new Message('{"t":1}'));
  };
  const telemetry = () => local.events.filter(({ properties }) => properties.opType === undefined);

  test('the identity holds neither keys nor thumbprints', async () => {
    const { responseBody } = await local.registry(WEU).get('dev-1');

    expect(responseBody.authentication).toEqual({
      type: 'certificateAuthority',
      symmetricKey: { primaryKey: null, secondaryKey: null },
      x509Thumbprint: { primaryThumbprint: null, secondaryThumbprint: null },
    });
  });

  test.each<TransportName>(['Mqtt', 'MqttWs', 'Amqp', 'AmqpWs'])('connect over %s', async (transport) => {
    await sending(await local.authority.issueDevice('dev-1'), transport);

    const [event] = telemetry();
    expect(JSON.parse(String(event?.annotations['iothub-connection-auth-method']))).toMatchObject({
      type: 'x509Certificate',
    });
  });

  test('connect with a chain through an intermediate', async () => {
    const through = await local.authority.issueIntermediate('factory');

    await sending(await local.authority.issueDevice('dev-1', { through }));

    expect(telemetry()).toHaveLength(1);
  });

  const withoutIssuers = ({ certificate, key }: KeyedCertificate): KeyedCertificate => ({
    certificate: certificate.slice(0, certificate.indexOf('-----END CERTIFICATE-----') + 26),
    key,
  });

  test.each<[string, () => Promise<KeyedCertificate | string>]>([
    ['another id as common name', () => local.authority.issueDevice('dev-2')],
    ['an id in another case', () => local.authority.issueDevice('DEV-1')],
    ['a CA that the hub does not know', async () => (await openAuthority()).issueDevice('dev-1')],
    [
      'a chain without its intermediate',
      async () => {
        const through = await local.authority.issueIntermediate('factory');
        return withoutIssuers(await local.authority.issueDevice('dev-1', { through }));
      },
    ],
    ['an expired certificate', () => local.authority.issueDevice('dev-1', { days: -1 / 1440 })],
    ['a key in place of a certificate', async () => testKey(1)],
  ])('are refused with %s', async (_name, certificate) => {
    await expect(sending(await certificate())).rejects.toMatchObject({ name: 'UnauthorizedError' });
  });
});
