import { Agent, request } from 'node:https';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { SharedAccessSignature } from 'azure-iot-common';
import { blobsOf, createUploadStorage } from '../../../local/azurite/upload-storage.ts';
import { startHttp } from '../../../local/https/index.ts';
import { storageAccount } from '../../support/storage-account.ts';
import { type LocalHubs, startLocalHubs, testKey, WEU } from './local-hubs.ts';

const KEY = testKey(1);
const ACCOUNT = /\/\/[^/:]+:(\d+)\/([^;/]+)/;

interface Granted {
  readonly correlationId: string;
  readonly hostName: string;
  readonly containerName: string;
  readonly blobName: string;
  readonly sasToken: string;
}

describe('file upload of devices', () => {
  let local: LocalHubs;
  let https: Awaited<ReturnType<typeof startHttp>>;
  let agent: Agent;
  let now: number;

  beforeEach(async () => {
    now = Date.now();
    const connectionString = await storageAccount();
    const [, port = '', account = ''] = ACCOUNT.exec(connectionString) ?? [];
    const hostName = () => `localhost:${https.port}/${account}`;
    local = await startLocalHubs({
      uploadStorage: createUploadStorage({ connectionString, hostName }),
      now: () => now,
    });
    agent = new Agent({ ca: local.authority.root });
    https = await startHttp({
      port: 0,
      services: [local.hubs.https],
      certificate: local.authority.server,
      passThrough: [blobsOf({ account, ports: { blob: Number(port), queue: 0, table: 0 } })],
    });
    const authentication = { symmetricKey: { primaryKey: KEY, secondaryKey: KEY } };
    await local.registry(WEU).create({ deviceId: 'dev-1', authentication });
  });
  afterEach(async () => {
    agent.destroy();
    await https.close();
    await local.close();
  });

  const call = (method: string, path: string, body?: unknown) =>
    local.call(method, `/devices/dev-1${path}`, {
      headers: {
        authorization: SharedAccessSignature.create(
          encodeURIComponent(`${WEU}/devices/dev-1`),
          '',
          KEY,
          Math.ceil(now / 1000) + 3600,
        ).toString(),
      },
      ...(body !== undefined && { body }),
    });
  const begin = async (blobName: string): Promise<Granted> =>
    (await call('POST', '/files', { blobName })).body;
  const put = ({ hostName, containerName, blobName, sasToken }: Granted, content: Buffer) =>
    new Promise<number>((resolve, reject) => {
      const outgoing = request(
        `https://${hostName}/${containerName}/${encodeURIComponent(blobName)}${sasToken}`,
        {
          agent,
          method: 'PUT',
          headers: { 'x-ms-blob-type': 'BlockBlob', 'content-length': content.length },
        },
        (response) => {
          response.resume();
          response.on('end', () => resolve(response.statusCode ?? 0));
        },
      );
      outgoing.on('error', reject);
      outgoing.end(content);
    });
  const notifications = async () => {
    const answer = await local.call('GET', '/messages/serviceBound/filenotifications');
    return answer.status === 204 ? undefined : JSON.parse(answer.text);
  };

  test('a device gets a URL for its blob, and services hear of the file', async () => {
    const granted = await begin('logs/today.txt');
    const status = await put(granted, Buffer.alloc(9 * 1024 * 1024, 7));

    const ended = await call('POST', '/files/notifications', {
      correlationId: granted.correlationId,
      isSuccess: true,
      statusCode: status,
      statusDescription: 'Created',
    });

    expect(granted).toMatchObject({ containerName: 'iothub-uploads', blobName: 'dev-1/logs/today.txt' });
    expect([status, ended.status]).toEqual([201, 204]);
    expect(await notifications()).toMatchObject({
      deviceId: 'dev-1',
      blobName: 'dev-1/logs/today.txt',
      blobSizeInBytes: 9 * 1024 * 1024,
      blobUri: expect.stringMatching(
        /^https:\/\/localhost:\d+\/.+\/iothub-uploads\/dev-1\/logs\/today\.txt$/,
      ),
    });
  });

  test('the older forms work: GET with the name of the blob, and the id in the path', async () => {
    const { body: granted } = await call('GET', '/files/photo.jpg');
    await put(granted, Buffer.from('jpg'));

    const ended = await call('POST', `/files/notifications/${granted.correlationId}`, { isSuccess: true });

    expect(granted.blobName).toBe('dev-1/photo.jpg');
    expect(ended.status).toBe(204);
    expect(await notifications()).toMatchObject({ blobName: 'dev-1/photo.jpg' });
  });

  test.each([
    ['that has failed', { isSuccess: false }, true],
    ['without a blob', { isSuccess: true }, false],
  ])('services hear nothing of an upload %s', async (_name, result, isWritten) => {
    const granted = await begin('a');
    if (isWritten) await put(granted, Buffer.from('a'));

    await call('POST', '/files/notifications', { correlationId: granted.correlationId, ...result });

    expect(await notifications()).toBeUndefined();
  });

  test('the URL of a blob is good for no other blob', async () => {
    const granted = await begin('a');

    expect(await put({ ...granted, blobName: 'dev-1/b' }, Buffer.from('b'))).toBe(403);
  });

  test('an upload ends once', async () => {
    const { correlationId } = await begin('a');
    await call('POST', '/files/notifications', { correlationId, isSuccess: false });

    const again = await call('POST', '/files/notifications', { correlationId, isSuccess: false });

    expect(again.status).toBe(400);
  });

  test('a device has at most ten uploads at a time, which end after an hour', async () => {
    for (let count = 0; count < 10; count += 1) await begin(`file-${count}`);

    const eleventh = await call('POST', '/files', { blobName: 'more' });
    now += 3_600_001;
    const later = await call('POST', '/files', { blobName: 'more' });

    expect([eleventh.status, later.status]).toEqual([403, 200]);
    expect(eleventh.headers['iothub-errorcode']).toBe('DeviceMaximumActiveFileUploadLimitExceeded');
  });

  test.each([[{}], [{ blobName: '' }], [{ blobName: 'x'.repeat(1025) }], [{ blobName: 7 }]])(
    'a request with %j is refused',
    async (body) => {
      expect((await call('POST', '/files', body)).status).toBe(400);
    },
  );

  test('a device with a wrong token is refused', async () => {
    const answer = await local.call('POST', '/devices/dev-1/files', {
      headers: { authorization: 'wrong' },
      body: { blobName: 'a' },
    });

    expect(answer.status).toBe(401);
  });

  test('a hub without a storage account refuses uploads', async () => {
    await local.close();
    local = await startLocalHubs();
    const authentication = { symmetricKey: { primaryKey: KEY, secondaryKey: KEY } };
    await local.registry(WEU).create({ deviceId: 'dev-1', authentication });

    const answer = await call('POST', '/files', { blobName: 'a' });

    expect([answer.status, answer.headers['iothub-errorcode']]).toEqual([
      400,
      'BlobContainerValidationError',
    ]);
  });
});
