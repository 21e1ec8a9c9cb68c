import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { checkDatabases } from '../../../local/azurite/databases.ts';
import { openBatteries } from '../../../local/devices/batteries.ts';
import { openCertificates } from '../../../local/dps/certificates/certificate-store.ts';
import { openEnrollments } from '../../../local/dps/enrollments/enrollment-store.ts';
import { openRegistrations } from '../../../local/dps/registration/registration.ts';
import { openConfigurations } from '../../../local/iot-hub/hub/configuration-store.ts';
import { openDeviceStore } from '../../../local/iot-hub/hub/device-store.ts';
import { openJobs } from '../../../local/iot-hub/hub/job-store.ts';
import { openServiceQueue } from '../../../local/iot-hub/hub/service-queue.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

let directory: string;
beforeEach(() => {
  directory = temporaryFolder('damage');
});

const SECRET = 'c2VjcmV0LWtleS1vZi1hLWRldmljZQ==';
const TIMES = { etag: 'e', createdDateTimeUtc: 't', lastUpdatedDateTimeUtc: 't' };
const KEYS = { type: 'symmetricKey', primaryKey: SECRET, secondaryKey: SECRET };

/** Each kept file: how it is opened, and records that Berth cannot have written. */
const JOURNALS: readonly (readonly [string, (file: string) => { close(): void }, readonly unknown[]])[] = [
  [
    'hub.jsonl',
    openDeviceStore,
    [
      { put: {} },
      { put: { identity: { deviceId: 'd', authentication: { type: 'sas', key: SECRET } }, twin: {} } },
      { remove: 7 },
      { put: null },
    ],
  ],
  [
    'hub.configurations.jsonl',
    openConfigurations,
    [
      { put: { id: 'c', content: { kind: 'device' } } },
      { put: { id: 'c', content: { kind: 'other', deviceContent: {} } } },
      { remove: '' },
    ],
  ],
  [
    'hub.jobs.jsonl',
    openJobs,
    [
      { job: { jobId: 'j', task: { type: 'other' } } },
      { device: { deviceId: 'd', jobId: 'j', status: 'lost' } },
      { remove: 1 },
    ],
  ],
  [
    'hub.feedback.jsonl',
    (file) => openServiceQueue(file, Date.now),
    [{ put: { id: 'm', body: {} } }, { put: { id: 'm', body: '[]', enqueuedAt: 1, deliveryCount: -1 } }],
  ],
  [
    'registrations.jsonl',
    (file) => openRegistrations(dirname(file)),
    [{ registrationId: 5 }, { forgotten: null }, { registrationId: 'd', enrollmentId: 'e', ...TIMES }],
  ],
  [
    'enrollments.jsonl',
    (file) => openEnrollments(dirname(file), [], Date.now),
    [
      { enrollmentGroupId: 'g', attestation: KEYS },
      { enrollmentGroupId: 'g', attestation: { ...KEYS, primaryKey: 1 }, ...TIMES },
      { enrollmentGroupId: 'g', attestation: { type: 'x509', certificates: ['no PEM'] }, ...TIMES },
      { deleted: {} },
    ],
  ],
  [
    'certificates.jsonl',
    (file) => openCertificates(dirname(file), Date.now),
    [
      { name: 'n' },
      { name: 'n', certificate: 'no PEM', isVerified: true, etag: '', created: '', updated: '' },
    ],
  ],
  ['batteries.jsonl', openBatteries, [{ deviceId: 'd', percent: '5' }, { deviceId: '' }, { percent: 1 }]],
];

describe.each(JOURNALS)('%s', (name, open, records) => {
  const texts: readonly (readonly [string, string | Buffer])[] = [
    ['text', 'garbage\n'],
    ['JSON that is cut off before the end of the line', `{"put":{"key":"${SECRET}\n`],
    ['bytes', Buffer.from([0, 255, 10, 1, 2])],
    ['bytes without a line', Buffer.from([0x7b, 0, 255, 1, 2])],
    ['text that is not UTF-8', Buffer.from([0x22, 0xff, 0x22, 10])],
    ...['null', '7', '"x"', '[]', '{}'].map((json) => [json, `${json}\n`] as const),
    ...records.map((record) => [JSON.stringify(record), `${JSON.stringify(record)}\n`] as const),
  ];

  test.each(texts)('with %s is refused with an error that names the file, and is not changed', (_, text) => {
    const file = join(directory, name);
    writeFileSync(file, text);

    expect(() => open(file)).toThrow(
      expect.objectContaining({
        code: 'BERTH_LOCAL_STATE_DAMAGED',
        message: expect.stringMatching(
          new RegExp(`^${file} is damaged: line \\d+ is not .*or start with --fresh`),
        ),
      }),
    );
    expect(() => open(file)).not.toThrow(
      expect.objectContaining({ message: expect.stringContaining(SECRET) }),
    );
    expect(readFileSync(file)).toEqual(Buffer.from(text));
  });

  test('without content is read as a file without records', () => {
    const file = join(directory, name);
    writeFileSync(file, '');

    open(file).close();
  });

  test('is refused with an error if it is a folder or lies below a file', () => {
    const file = join(directory, 'x', name);
    mkdirSync(file, { recursive: true });
    const unusable = expect.objectContaining({ code: 'BERTH_LOCAL_STATE_UNUSABLE' });
    expect(() => open(file)).toThrow(unusable);

    rmSync(dirname(file), { recursive: true });
    writeFileSync(dirname(file), '');
    expect(() => open(file)).toThrow(unusable);
  });
});

describe('a database of Azurite', () => {
  const file = () => join(directory, '__azurite_db_table__.json');

  test.each([
    ['is empty', '', 'it is empty'],
    ['is cut off', '{"filename":"x","collections":[{"na', 'it is not JSON'],
    ['holds binary data', '\u0000\u0001', 'it is not JSON'],
    ['is something else', '{}', 'it is not a database of Azurite'],
    ['has collections of something else', '{"collections":[1]}', 'it is not a database of Azurite'],
  ])('a database that %s is refused with an error that names it, and is not changed', (_, text, message) => {
    writeFileSync(file(), text);

    expect(() => checkDatabases(directory)).toThrow(
      expect.objectContaining({
        code: 'BERTH_LOCAL_STATE_DAMAGED',
        message: expect.stringContaining(`${file()} is damaged: ${message}`),
      }),
    );
    expect(readFileSync(file(), 'utf8')).toBe(text);
  });

  test('a database that is complete or missing is accepted', () => {
    checkDatabases(directory);
    writeFileSync(file(), '{"filename":"x","collections":[{"name":"t","data":[{"$loki":1}]}]}');

    checkDatabases(directory);
  });
});
