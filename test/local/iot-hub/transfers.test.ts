import { BlobServiceClient, type ContainerClient, ContainerSASPermissions } from '@azure/storage-blob';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Registry } from 'azure-iothub';
import { storageAccount } from '../../support/storage-account.ts';
import { type LocalHubs, startLocalHubs, testKey, WEU } from './local-hubs.ts';

const KEY = testKey(1);

interface TransferAnswer {
  readonly jobId: string;
  readonly status: string;
  readonly failureReason?: string;
}

describe('jobs that import and export devices, over the service SDK and Azurite', () => {
  let local: LocalHubs;
  let registry: Registry;
  let container: ContainerClient;
  let uri: string;

  beforeEach(async () => {
    local = await startLocalHubs();
    registry = local.registry(WEU);
    const service = BlobServiceClient.fromConnectionString(await storageAccount());
    container = service.getContainerClient(`transfers-${Date.now()}`);
    await container.create();
    uri = await container.generateSasUrl({
      permissions: ContainerSASPermissions.parse('rwdl'),
      expiresOn: new Date(Date.now() + 3_600_000),
    });
  });
  afterEach(() => local.close());

  /** The SDK returns the job, and types it with fewer fields. */
  const jobOf = (answer: unknown) => answer as TransferAnswer;
  const put = async (name: string, text: string) => {
    await container.getBlockBlobClient(name).upload(text, Buffer.byteLength(text));
  };
  const get = async (name: string) => (await container.getBlobClient(name).downloadToBuffer()).toString();
  async function ended(jobId: string): Promise<TransferAnswer> {
    for (let tries = 0; tries < 600; tries += 1) {
      const job = jobOf(await registry.getJob(jobId));
      if (['completed', 'failed', 'cancelled'].includes(job.status)) return job;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`the job ${jobId} does not end`);
  }
  async function importAll(): Promise<TransferAnswer> {
    return ended(jobOf(await registry.importDevicesFromBlob(uri, uri)).jobId);
  }
  async function exportAll(excludesKeys: boolean): Promise<TransferAnswer> {
    const job = jobOf(await registry.exportDevicesToBlob(uri, excludesKeys));
    expect(job).toMatchObject({ status: 'enqueued', type: 'export' });
    return ended(job.jobId);
  }

  test('an export holds identities and twins, one on each line', async () => {
    const authentication = { symmetricKey: { primaryKey: KEY, secondaryKey: KEY } };
    await registry.addDevices(['dev-1', 'dev-2'].map((deviceId) => ({ deviceId, authentication })));
    await registry.updateTwin('dev-1', { tags: { site: 'ams' }, properties: { desired: { a: 1 } } }, '*');

    expect(await exportAll(false)).toMatchObject({ status: 'completed' });

    const lines = (await get('devices.txt')).split('\r\n').filter((line) => line !== '');
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      {
        id: 'dev-1',
        status: 'enabled',
        authentication: { type: 'sas', symmetricKey: { primaryKey: KEY } },
        tags: { site: 'ams' },
        properties: { desired: { a: 1 } },
        twinETag: 'AAAAAAAAAAI=',
      },
      { id: 'dev-2' },
    ]);
  });

  test('an export can leave out the keys', async () => {
    await registry.create({ deviceId: 'dev-1' });

    await exportAll(true);

    expect(JSON.parse(await get('devices.txt')).authentication.symmetricKey.primaryKey).toBeNull();
  });

  test('an import creates, updates and deletes devices, and writes its problems', async () => {
    await registry.addDevices([{ deviceId: 'old' }, { deviceId: 'same' }]);
    const lines = [
      { id: 'new', importMode: 'create', status: 'disabled', tags: { site: 'ams' } },
      { id: 'same', importMode: 'create' },
      { id: 'old', importMode: 'delete' },
      { id: 'whole', authentication: { symmetricKey: { primaryKey: KEY, secondaryKey: KEY } } },
    ];
    await put('devices.txt', `// devices\r\n${lines.map((line) => JSON.stringify(line)).join('\r\n')}\r\n`);

    expect(await importAll()).toMatchObject({ status: 'completed' });

    expect((await registry.get('new')).responseBody.status).toBe('disabled');
    expect((await registry.getTwin('new')).responseBody.tags).toEqual({ site: 'ams' });
    expect((await registry.get('whole')).responseBody.authentication?.symmetricKey?.primaryKey).toBe(KEY);
    await expect(registry.get('old')).rejects.toMatchObject({ name: 'DeviceNotFoundError' });
    expect(JSON.parse(await get('importErrors.log'))).toMatchObject({ deviceId: 'same', errorCode: 409001 });
  });

  test.each<[string, object, { readonly site: string; readonly interval: number }, readonly number[]]>([
    ['without importMode', {}, { site: 'ber', interval: 2 }, []],
    ['with createOrUpdate', { importMode: 'createOrUpdate', eTag: 'AAAA' }, { site: 'ber', interval: 2 }, []],
    [
      'with createOrUpdate and another etag of the twin',
      { importMode: 'createOrUpdate', twinETag: 'AAAAAAAAAAk=' },
      { site: 'ber', interval: 2 },
      [],
    ],
    [
      'with createOrUpdateIfMatchETag and the etag of the twin',
      { importMode: 'createOrUpdateIfMatchETag', twinETag: 'AAAAAAAAAAI=' },
      { site: 'ber', interval: 2 },
      [],
    ],
    [
      'with createOrUpdateIfMatchETag and another etag of the twin',
      { importMode: 'createOrUpdateIfMatchETag', twinETag: 'AAAAAAAAAAk=' },
      { site: 'ams', interval: 1 },
      [412001],
    ],
    [
      'with createOrUpdateIfMatchETag and another etag of the identity',
      { importMode: 'createOrUpdateIfMatchETag', eTag: 'AAAA' },
      { site: 'ber', interval: 2 },
      [412001],
    ],
    ['with update', { importMode: 'update' }, { site: 'ams', interval: 1 }, []],
  ])(
    'an import of an existing device %s writes its twin as documented',
    async (_what, more, twin, errors) => {
      await registry.create({ deviceId: 'dev-1' });
      await registry.updateTwin(
        'dev-1',
        { tags: { site: 'ams', old: 1 }, properties: { desired: { interval: 1 } } },
        '*',
      );
      const line = {
        id: 'dev-1',
        status: 'disabled',
        tags: { site: 'ber' },
        properties: { desired: { interval: 2, $version: 7, $metadata: {} } },
        ...more,
      };
      await put('devices.txt', JSON.stringify(line));

      expect(await importAll()).toMatchObject({ status: 'completed' });

      const { tags, properties } = (await registry.getTwin('dev-1')).responseBody;
      expect(tags).toEqual(twin.site === 'ams' ? { site: 'ams', old: 1 } : { site: 'ber' });
      expect(properties.desired.interval).toBe(twin.interval);
      const isIdentityKept = 'eTag' in more && errors.length > 0;
      expect((await registry.get('dev-1')).responseBody.status).toBe(isIdentityKept ? 'enabled' : 'disabled');
      const log = await get('importErrors.log').catch(() => '');
      const seen = log.split('\r\n').filter((text) => text !== '');
      expect(seen.map((text) => JSON.parse(text).errorCode)).toEqual(errors);
    },
  );

  test('an import with createOrUpdateIfMatchETag creates a device that does not exist, with its twin', async () => {
    const line = {
      id: 'new',
      importMode: 'createOrUpdateIfMatchETag',
      twinETag: 'AAAAAAAAAAk=',
      tags: { site: 'ber' },
    };
    await put('devices.txt', JSON.stringify(line));

    expect(await importAll()).toMatchObject({ status: 'completed' });

    expect((await registry.getTwin('new')).responseBody.tags).toEqual({ site: 'ber' });
  });

  test('an export that is imported again leaves the twins as they are, and needs no etags', async () => {
    await registry.create({ deviceId: 'dev-1' });
    await registry.updateTwin(
      'dev-1',
      { tags: { site: 'ams' }, properties: { desired: { interval: 1 } } },
      '*',
    );
    await exportAll(false);

    expect(await importAll()).toMatchObject({ status: 'completed' });

    const { tags, properties } = (await registry.getTwin('dev-1')).responseBody;
    expect([tags, properties.desired.interval]).toEqual([{ site: 'ams' }, 1]);
    await expect(get('importErrors.log')).rejects.toMatchObject({ statusCode: 404 });
  });

  test('configurations are exported and imported with their own file', async () => {
    const content = { deviceContent: { 'properties.desired.x': 4 } };
    await registry.addConfiguration({ id: 'c-1', schemaVersion: '1.0', content, targetCondition: '' });
    const job = {
      type: 'export',
      outputBlobContainerUri: uri,
      includeConfigurations: true,
      configurationsBlobName: 'configs.txt',
      outputBlobName: 'all.txt',
    };
    await ended((await local.call('POST', '/jobs/create', { body: job })).body.jobId);
    expect(JSON.parse(await get('configs.txt'))).toMatchObject({ id: 'c-1', content });

    await put(
      'configs.txt',
      JSON.stringify({ id: 'c-2', importMode: 'createOrUpdateIfMatchETag', content, priority: 3 }),
    );
    const load = { ...job, type: 'import', inputBlobContainerUri: uri, inputBlobName: 'all.txt' };
    await ended((await local.call('POST', '/jobs/create', { body: load })).body.jobId);

    expect((await registry.getConfiguration('c-2')).responseBody).toMatchObject({ priority: 3 });
  });

  test('a job without its blob fails with the reason, and no answer holds the signature', async () => {
    const job = await importAll();
    const list = (await local.call('GET', '/jobs')).body;

    expect(job).toMatchObject({
      status: 'failed',
      failureReason: 'The blob devices.txt cannot be used: it answers 404.',
    });
    expect(JSON.stringify([job, list])).not.toContain('sig=');
  });

  test.each<[string, number, string, object]>([
    [
      'another machine',
      501,
      'NotInLocalHub',
      { type: 'export', outputBlobContainerUri: 'https://a.blob.core.windows.net/c?sig=x' },
    ],
    [
      'a managed identity',
      501,
      'NotInLocalHub',
      { type: 'export', outputBlobContainerUri: 'http://127.0.0.1:10000/devstoreaccount1/c' },
    ],
    ['no URI', 400, 'BlobContainerValidationError', { type: 'export', outputBlobContainerUri: 'container' }],
    ['another type', 400, 'ArgumentInvalid', { type: 'backup' }],
  ])('a job with %s is refused', async (_what, status, code, body) => {
    const answer = await local.call('POST', '/jobs/create', { body });

    expect([answer.status, answer.headers['iothub-errorcode']]).toEqual([status, code]);
  });

  test('an unknown job is 404', async () => {
    expect((await local.call('GET', '/jobs/none')).status).toBe(404);
    expect((await local.call('DELETE', '/jobs/none')).status).toBe(404);
  });

  test('the statistics of the service count connected devices', async () => {
    expect((await local.call('GET', '/statistics/service')).body).toEqual({ connectedDeviceCount: 0 });
  });
});
