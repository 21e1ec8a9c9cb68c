import { describe, expect, test } from '@jest/globals';
import { carriesKey, isSameWebhook, withKey, withoutKey } from '../../src/dps/webhook-url.ts';
import { bodyOf, bodyWithKey } from '../../src/enroll/body.ts';
import { differencesOf } from '../../src/enroll/differences.ts';
import type { WantedEnrollment } from '../../src/enroll/wanted.ts';
import type { JsonObject } from '../../src/json/json.ts';

const URL_ = 'https://contoso.azurewebsites.net/api/allocate';
const WANTED: WantedEnrollment = {
  kind: 'group',
  id: 'fleet',
  attestation: { type: 'symmetricKey', keys: undefined },
  unsetKeys: [],
  webhook: { url: URL_, apiVersion: '2021-10-01' },
  terms: {
    deviceId: undefined,
    enabled: true,
    allocationPolicy: 'custom',
    iotHubs: ['a.net', 'b.net'],
    reprovisioning: 'migrate',
    tags: { site: 'ams' },
    desired: {},
    iotEdge: false,
  },
};
const JSON_: JsonObject = {
  enrollmentGroupId: 'fleet',
  attestation: { type: 'symmetricKey' },
  capabilities: { iotEdge: false },
  initialTwin: { tags: { site: 'ams', $version: 1 }, properties: { desired: { $version: 1 } } },
  etag: '"1"',
  provisioningStatus: 'enabled',
  reprovisionPolicy: { updateHubAssignment: true, migrateDeviceData: true },
  createdDateTimeUtc: 'then',
  lastUpdatedDateTimeUtc: 'then',
  allocationPolicy: 'custom',
  iotHubs: ['B.net', 'a.net'],
  customAllocationDefinition: { webhookUrl: `${URL_}?****`, apiVersion: '2021-10-01' },
  optionalDeviceInformation: { model: 'x' },
};
const NO_SECRETS = { mechanism: undefined, webhookKey: 'k' };
const record = (json: JsonObject = JSON_) => ({ kind: 'group' as const, id: 'fleet', etag: '"1"', json });
const between = (
  wanted: Partial<WantedEnrollment>,
  json: JsonObject = {},
  secrets: Parameters<typeof differencesOf>[2] = NO_SECRETS,
) =>
  differencesOf({ ...WANTED, ...wanted }, record({ ...JSON_, ...json }), secrets).map(
    ({ field, from, to }) => `${field}: ${from} -> ${to}`,
  );

describe('the differences between a file and an enrollment', () => {
  test('there is no difference where only order, case, marks and the masked key differ', () => {
    expect(between({})).toEqual([]);
  });

  test.each<[string, Partial<WantedEnrollment>, JsonObject, string[]]>([
    ['the status', {}, { provisioningStatus: 'disabled' }, ['enabled: false -> true']],
    ['the policy', {}, { allocationPolicy: 'hashed' }, ['allocationPolicy: hashed -> custom']],
    ['the hubs', {}, { iotHubs: null }, ['iotHubs: all linked hubs -> a.net, b.net']],
    [
      'the name by which a hub is linked, after a relink',
      { terms: { ...WANTED.terms, iotHubs: ['weu.device.azure-devices.net'] } },
      { iotHubs: ['weu.azure-devices.net'] },
      ['iotHubs: weu.azure-devices.net -> weu.device.azure-devices.net'],
    ],
    [
      'a hub that is not a host name, without repeating it',
      { terms: { ...WANTED.terms, iotHubs: ['a.net'] } },
      { iotHubs: ['HostName=a.net;SharedAccessKey=c2VjcmV0'] },
      ['iotHubs: (not a host name) -> a.net'],
    ],
    [
      'reprovisioning',
      {},
      { reprovisionPolicy: { updateHubAssignment: true, migrateDeviceData: false } },
      ['reprovisioning: reset -> migrate'],
    ],
    ['the initial twin', {}, { initialTwin: null }, ['initialTwin.tags: nothing -> {"site":"ams"}']],
    ['the Edge capability', {}, { capabilities: { iotEdge: true } }, ['capabilities.iotEdge: true -> false']],
    [
      'the webhook',
      {},
      {
        customAllocationDefinition: {
          webhookUrl: 'https://other.net/x?code=secret',
          apiVersion: '2019-03-31',
        },
      },
      [
        `webhook.url: https://other.net/x -> ${URL_}`,
        'webhook.apiVersion: 2019-03-31 -> 2021-10-01',
        'webhook key: another key -> the key in BERTH_WEBHOOK_KEY',
      ],
    ],
    ['the attestation', {}, { attestation: { type: 'tpm', tpm: {} } }, ['attestation: tpm -> symmetricKey']],
    [
      'a certificate',
      {
        attestation: {
          type: 'x509',
          field: 'signingCertificates',
          primary: { pem: 'p', sha256: 'BB' },
          secondary: undefined,
        },
      },
      {
        attestation: {
          type: 'x509',
          x509: { signingCertificates: { primary: { info: { sha256Thumbprint: 'AA' } } } },
        },
      },
      ['attestation.signingCertificates.primary: AA -> BB'],
    ],
    [
      'a CA reference',
      { attestation: { type: 'x509', field: 'caReferences', names: ['new', 'root'] } },
      { attestation: { type: 'x509', x509: { caReferences: { primary: 'root' } } } },
      [
        'attestation.caReferences.primary: root -> new',
        'attestation.caReferences.secondary: nothing -> root',
      ],
    ],
  ])('reports a change of %s', (_, wanted, json, expected) => {
    expect(between(wanted, json)).toEqual(expected);
  });

  test('a changed key is reported by its field, never by its value', () => {
    const attestation = { type: 'symmetricKey', keys: { primaryKey: 'p1', secondaryKey: 's1' } } as const;
    const mechanism = { type: 'symmetricKey', symmetricKey: { primaryKey: 'p2', secondaryKey: 's1' } };

    expect(between({ attestation }, {}, { mechanism, webhookKey: undefined })).toEqual([
      'attestation.primaryKey: another key -> the key that the file names',
    ]);
  });
});

describe('the body of an update', () => {
  test('the body of an update keeps the keys that DPS made and fields that the file does not know', () => {
    const mechanism = { type: 'symmetricKey', symmetricKey: { primaryKey: 'p', secondaryKey: 's' } };

    expect(bodyOf({ wanted: WANTED, record: record(), mechanism, webhookKey: 'k+/=' })).toEqual({
      enrollmentGroupId: 'fleet',
      attestation: mechanism,
      capabilities: { iotEdge: false },
      initialTwin: { tags: { site: 'ams' }, properties: { desired: {} } },
      provisioningStatus: 'enabled',
      reprovisionPolicy: { updateHubAssignment: true, migrateDeviceData: true },
      allocationPolicy: 'custom',
      iotHubs: ['a.net', 'b.net'],
      customAllocationDefinition: { webhookUrl: `${URL_}?code=k%2B%2F%3D`, apiVersion: '2021-10-01' },
      optionalDeviceInformation: { model: 'x' },
    });
  });

  test('the body of an update with another function key changes nothing else', () => {
    const { etag: _e, createdDateTimeUtc: _c, lastUpdatedDateTimeUtc: _l, ...rest } = JSON_;

    expect(bodyWithKey(record(), URL_, 'new', undefined)).toEqual({
      ...rest,
      customAllocationDefinition: { webhookUrl: `${URL_}?code=new`, apiVersion: '2021-10-01' },
    });
  });
});

describe('the URL of a webhook', () => {
  test.each([
    [`${URL_}?code=a`, `${URL_}?****`, true],
    [URL_, URL_.replace('contoso', 'CONTOSO'), true],
    [URL_, `${URL_}2`, false],
  ])('the webhook URLs %s and %s are the same: %s', (left, right, same) => {
    expect(isSameWebhook(left, right)).toBe(same);
  });

  test('the shown webhook URL contains no key', () => {
    expect(withoutKey(withKey(URL_, 'secret'))).toBe(URL_);
    expect(withoutKey('https://user:secret@x.net/a#b')).toBe('https://x.net/a');
  });

  test.each([
    [`${URL_}?****`, 'unknown'],
    [`${URL_}?code=****`, 'unknown'],
    [`${URL_}?code=k`, true],
    [`${URL_}?code=other`, false],
    [URL_, false],
  ])('the webhook URL %s carries the key: %s', (url, carries) => {
    expect(carriesKey(url, 'k')).toBe(carries);
  });
});
