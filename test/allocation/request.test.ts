import { describe, expect, test } from '@jest/globals';
import { openAuthority } from '../../local/ca/index.ts';
import { parseAllocationRequest } from '../../src/allocation/request/request.ts';
import { MAX_REQUEST_BYTES, readRequestBody } from '../../src/allocation/request/request-body.ts';
import { requestFacts } from '../../src/allocation/rules/variables.ts';
import { BerthError } from '../../src/errors.ts';
import { CAPTURED, requestOf } from './requests.ts';

function failure(act: () => unknown): BerthError {
  try {
    act();
  } catch (error) {
    if (error instanceof BerthError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
const bytes = (text: string) => new TextEncoder().encode(text);

describe('the request of DPS', () => {
  test('is parsed from a real capture', () => {
    expect(parseAllocationRequest(CAPTURED)).toEqual({
      registrationId: 'breakroom499-contoso-tstrsd-007',
      linkedHubs: CAPTURED.linkedHubs.map((host) => ({ host, text: host })),
      current: undefined,
      enrollment: {
        kind: 'group',
        id: 'contoso-custom-allocated-devices',
        iotEdge: false,
        reprovisionPolicy: 'migrate',
        iotHubs: CAPTURED.linkedHubs,
        initialTwin: undefined,
      },
      attestation: { kind: 'symmetricKey', subject: undefined },
      payload: undefined,
    });
  });

  test('needs only a registration id and linked hubs', () => {
    const request = parseAllocationRequest({
      deviceRuntimeContext: { registrationId: 'd1' },
      linkedHubs: ['a.b.c'],
    });

    expect(request.enrollment).toEqual({
      kind: 'unknown',
      id: undefined,
      iotEdge: false,
      reprovisionPolicy: 'unset',
      iotHubs: [],
      initialTwin: undefined,
    });
  });

  test('is parsed with keys in any case, and null counts as absent', () => {
    const request = parseAllocationRequest({
      IndividualEnrollment: {
        RegistrationId: 'D1',
        Capabilities: { IOTEDGE: true },
        InitialTwin: { Tags: { a: 1 }, Properties: { Desired: { B: 2 } } },
        ReprovisionPolicy: { UpdateHubAssignment: true, migratedevicedata: false },
        IotHubs: null,
      },
      enrollmentGroup: null,
      DeviceRuntimeContext: {
        RegistrationID: 'D1',
        currentIoTHubHostname: 'WEU.azure-devices.net',
        currentDeviceId: 'd-one',
        X509: { CertificateInfo: { SubjectName: 'CN=D1' } },
        Payload: { Site: 'ams' },
      },
      LinkedHubs: ['WEU.azure-devices.net'],
    });

    expect(request).toEqual({
      registrationId: 'D1',
      linkedHubs: [{ host: 'weu.azure-devices.net', text: 'WEU.azure-devices.net' }],
      current: { hub: 'weu.azure-devices.net', deviceId: 'd-one' },
      enrollment: {
        kind: 'individual',
        id: 'D1',
        iotEdge: true,
        reprovisionPolicy: 'reset',
        iotHubs: [],
        initialTwin: { tags: { a: 1 }, desired: { B: 2 } },
      },
      attestation: { kind: 'x509', subject: 'CN=D1' },
      payload: { Site: 'ams' },
    });
  });

  describe('gives the subject of the certificate', () => {
    const subjectIn = (x509: unknown) => requestOf({ context: { x509 } }).attestation.subject;

    test('when DPS sends the certificate itself, as PEM or as bare base64', async () => {
      const { certificate } = await (await openAuthority()).issueDevice('d-1');
      const [pem = ''] = certificate.match(/-----BEGIN.+?-----END CERTIFICATE-----/s) ?? [];
      const base64 = pem.replace(/-----[A-Z ]+-----/g, '');

      expect(subjectIn({ clientCertificate: pem })).toBe('CN=d-1');
      expect(subjectIn({ ClientCertificate: base64 })).toBe('CN=d-1');
    });

    test.each([
      [{ certificateInfo: { subjectName: 'CN=a, O=b' }, clientCertificate: 'no certificate' }, 'CN=a, O=b'],
      [{ certificateInfo: {}, clientCertificate: 'no certificate' }, undefined],
      [{ clientCertificate: { pem: 'x' } }, undefined],
      [{ clientCertificate: 'x'.repeat(100_000) }, undefined],
      [{ certificateInfo: { subjectName: 5 } }, undefined],
      ['no object', undefined],
    ])('when the certificate info or the certificate holds one: %j', (x509, subject) => {
      expect(subjectIn(x509)).toBe(subject);
    });
  });

  test('lists each hub once, with the last spelling', () => {
    const { linkedHubs } = requestOf({
      linkedHubs: ['A.azure-devices.net', 'b.azure-devices.net', 'a.azure-devices.net'],
    });

    expect(linkedHubs).toEqual([
      { host: 'a.azure-devices.net', text: 'a.azure-devices.net' },
      { host: 'b.azure-devices.net', text: 'b.azure-devices.net' },
    ]);
  });

  test('lists a hub with two linked names once, with the preferred name for answers', () => {
    const { linkedHubs, current } = requestOf({
      linkedHubs: ['a.azure-devices.net', 'b.azure-devices.net', 'A.device.azure-devices.net'],
      context: { currentIotHubHostName: 'A.azure-devices.net' },
    });

    expect(current).toEqual({ hub: 'a.azure-devices.net' });
    expect(linkedHubs).toEqual([
      { host: 'a.azure-devices.net', text: 'a.azure-devices.net', others: ['A.device.azure-devices.net'] },
      { host: 'b.azure-devices.net', text: 'b.azure-devices.net' },
    ]);
  });

  test('gives expressions no current hub when the current host name is invalid', () => {
    const request = requestOf({ context: { currentIotHubHostName: 'two words', currentDeviceId: 'd-1' } });

    expect(request.current?.hub).toBe('(not a host name)');
    expect(requestFacts(request).current).toEqual({ deviceId: 'd-1' });
  });

  test('uses the documented spelling when a key occurs twice', () => {
    const request = requestOf({ context: { REGISTRATIONID: 'wrong' } });

    expect(request.registrationId).toBe('breakroom499-contoso-tstrsd-007');
  });

  test('exposes no key of an attestation', () => {
    const request = requestOf({
      context: {
        symmetricKey: { primaryKey: 'cHJpbWFyeQ==' },
        tpm: { endorsementKey: 'ZW5kb3JzZW1lbnQ=', storageRootKey: 'cm9vdA==' },
      },
      group: { attestation: { type: 'symmetricKey', symmetricKey: { primaryKey: 'cHJpbWFyeQ==' } } },
    });

    expect(JSON.stringify(request)).not.toMatch(/cHJpbWFyeQ|ZW5kb3JzZW1lbnQ|cm9vdA/);
    expect(request.attestation.kind).toBe('tpm');
  });

  test.each([
    ['an object as its body', [], 'the body must be an object'],
    ['a deviceRuntimeContext object', { linkedHubs: ['a.b'] }, 'deviceRuntimeContext must be an object'],
    [
      'a registration id',
      { deviceRuntimeContext: {}, linkedHubs: ['a.b'] },
      'deviceRuntimeContext.registrationId must be a string',
    ],
    [
      'a registration id in the alphabet of DPS',
      { deviceRuntimeContext: { registrationId: 'a b' }, linkedHubs: ['a.b'] },
      'deviceRuntimeContext.registrationId must be at most 128',
    ],
    ['linked hubs', { deviceRuntimeContext: { registrationId: 'a' } }, 'linkedHubs must be an array'],
    [
      'at least one linked hub',
      { deviceRuntimeContext: { registrationId: 'a' }, linkedHubs: [] },
      'linkedHubs must not be empty',
    ],
    [
      'texts as linked hubs',
      { deviceRuntimeContext: { registrationId: 'a' }, linkedHubs: [1] },
      'linkedHubs[0] must be a string',
    ],
    [
      'the right types in its other fields',
      { ...CAPTURED, enrollmentGroup: { capabilities: 'yes' } },
      'enrollmentGroup.capabilities must be an object',
    ],
    [
      'a twin that consists of objects',
      { ...CAPTURED, enrollmentGroup: { initialTwin: { tags: [1] } } },
      'enrollmentGroup.initialTwin.tags must be an object',
    ],
  ])('is refused when it lacks %s', (_, json, message) => {
    const error = failure(() => parseAllocationRequest(json));

    expect(error.code).toBe('BERTH_REQUEST_INVALID');
    expect(error.message).toContain(message);
    expect(error.details.length).toBeGreaterThan(0);
  });

  test('is refused without repeating the wrong value, which may be a key', () => {
    const error = failure(() => requestOf({ context: { registrationId: 'c2VjcmV0 ' } }));

    expect(JSON.stringify([error.message, error.details])).not.toContain('c2VjcmV0');
  });
});

describe('a request body', () => {
  test.each([
    ['empty', '', 'BERTH_REQUEST_NOT_JSON'],
    ['not JSON', 'registrationId=x', 'BERTH_REQUEST_NOT_JSON'],
    ['a truncated object', '{"a":', 'BERTH_REQUEST_NOT_JSON'],
    ['a megabyte long', `"${'x'.repeat(1024 * 1024)}"`, 'BERTH_REQUEST_TOO_LARGE'],
    ['an object with a __proto__ key', '{"a":[{"__proto__":{}}]}', 'BERTH_REQUEST_INVALID'],
    ['an object with an escaped __proto__ key', '{"\\u005f_proto__":{}}', 'BERTH_REQUEST_INVALID'],
    [
      'nested a hundred thousand levels deep',
      `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
      'BERTH_REQUEST_INVALID',
    ],
  ])('is refused when it is %s', (_, text, code) => {
    expect(failure(() => readRequestBody(bytes(text.slice(0, 2 * MAX_REQUEST_BYTES))))).toMatchObject({
      code,
    });
  });

  test('is refused when it is not UTF-8', () => {
    expect(failure(() => readRequestBody(new Uint8Array([0x22, 0xff, 0x22])))).toMatchObject({
      code: 'BERTH_REQUEST_NOT_JSON',
    });
  });

  test('is refused without being quoted', () => {
    expect(failure(() => readRequestBody(bytes('{"key":c2VjcmV0}'))).message).not.toContain('c2VjcmV0');
  });
});
