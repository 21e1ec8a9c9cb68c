import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { NoRetry } from 'azure-iot-common';
import { Client, X509AuthenticationProvider } from 'azure-iot-device';
import { Mqtt } from 'azure-iot-device-mqtt';
import { deriveDeviceKey } from '../../../local/dps/index.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { EUS, report, WEU } from '../iot-hub/local-hubs.ts';
import {
  customGroup,
  GROUP_KEY,
  type LocalDps,
  startLocalDps,
  startWebhook,
  testAuthority,
  type Webhook,
} from './local-dps.ts';

describe('a device that DPS has provisioned', () => {
  let webhook: Webhook;
  let local: LocalDps;
  let directory: string;
  const clients: Client[] = [];
  const to = (host: string) => ({
    status: 200,
    body: { iotHubHostName: host, initialTwin: { tags: { a: 1 } } },
  });

  beforeEach(async () => {
    directory = temporaryFolder('dps');
    webhook = await startWebhook();
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close().catch(() => {})));
    await local.close();
    await webhook.close();
  });

  async function open(client: Client, options: object = {}): Promise<Client> {
    clients.push(client);
    client.setRetryPolicy(new NoRetry());
    await client.setOptions({ ca: local.authority.root, ...options });
    await client.open();
    return client;
  }
  const connect = (host: string, deviceId: string) => {
    const key = deriveDeviceKey(GROUP_KEY, deviceId);
    const gateway = `localhost:${local.ports.mqtt}`;
    const text = `HostName=${host};DeviceId=${deviceId};SharedAccessKey=${key};GatewayHostName=${gateway}`;
    return open(Client.fromConnectionString(text, Mqtt));
  };

  test('connects to its hub with its own key, on the port on which it registered', async () => {
    local = await startLocalDps([customGroup(webhook)]);
    webhook.answers(to(EUS));

    const { assignedHub, deviceId } = await local.register('dev-1', { over: 'mqtt' });
    const client = await connect(assignedHub, deviceId);

    await expect(client.getTwin()).resolves.toBeDefined();
  });

  test('connects with its certificate', async () => {
    const authority = await testAuthority();
    local = await startLocalDps([
      customGroup(webhook, { attestation: { type: 'x509', certificates: [authority.root] } }),
    ]);
    const { certificate, key } = await authority.issueDevice('dev-1');
    await local.register('dev-1', { certificate: { certificate, key } });

    const credentials = { host: WEU, deviceId: 'dev-1', gatewayHostName: `localhost:${local.ports.mqtt}` };
    const provider = new X509AuthenticationProvider(credentials);
    const client = await open(Client.fromAuthenticationProvider(provider, Mqtt), { cert: certificate, key });

    await expect(client.getTwin()).resolves.toBeDefined();
    expect(webhook.requests[0].enrollmentGroup.attestation).toMatchObject({
      type: 'x509',
      x509: { signingCertificates: { primary: { info: { subjectName: 'CN=Berth local root' } } } },
    });
    expect(webhook.requests[0].deviceRuntimeContext.x509).toMatchObject({
      clientCertificate: expect.any(String),
      certificateInfo: { subjectName: 'CN=dev-1', sha1Thumbprint: expect.stringMatching(/^[0-9A-F]{40}$/) },
      signingCertificateInfo: { subjectName: 'CN=Berth local root' },
    });
  });

  test('moves to another hub with its reported properties, and loses its old connection', async () => {
    local = await startLocalDps([customGroup(webhook)]);
    webhook.answers(to(WEU), to(EUS));
    await local.register('dev-1');
    const before = await connect(WEU, 'dev-1');
    await report(await before.getTwin(), { battery: 20 });
    const cut = once(before, 'disconnect');

    const { assignedHub } = await local.register('dev-1');
    await cut;

    expect(assignedHub).toBe(EUS);
    expect(local.hubs.view(EUS)?.twin('dev-1')).toMatchObject({
      version: 3,
      properties: { reported: { battery: 20, $version: 2 } },
    });
    const after = await connect(EUS, 'dev-1');
    expect((await after.getTwin()).properties.reported.battery).toBe(20);
    await expect(connect(WEU, 'dev-1')).rejects.toMatchObject({ name: 'UnauthorizedError' });
  });

  test('keeps its registration and its identity after all processes were killed', async () => {
    const options = { directory, hubDirectory: directory };
    const killed = await startLocalDps([customGroup(webhook)], options);
    webhook.answers(to(EUS));
    const first = await killed.register('dev-1');
    local = await startLocalDps([customGroup(webhook)], options); // while the other still holds its files

    const again = await local.register('dev-1');
    const client = await connect(EUS, 'dev-1');

    expect(again).toMatchObject({
      assignedHub: EUS,
      substatus: 'reprovisionedToInitialAssignment',
      createdDateTimeUtc: first.createdDateTimeUtc,
    });
    expect(webhook.requests[1].deviceRuntimeContext.currentIotHubHostName).toBe(EUS);
    expect((await client.getTwin()).properties.reported.$version).toBe(1);
    const journal = readFileSync(join(directory, 'registrations.jsonl'), 'utf8');
    expect(journal).not.toContain(deriveDeviceKey(GROUP_KEY, 'dev-1'));
    await killed.close();
  });
});
