import { describe, expect, test } from '@jest/globals';
import { openAuthority } from '../../local/ca/index.ts';
import { parseAllocationRequest } from '../../src/allocation/request/request.ts';
import { MAX_BODY_BYTES, readRequestBody } from '../../src/allocation/request/request-body.ts';
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
  test('is read from a real capture', () => {
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

  test('needs nothing but a registration id and linked hubs', () => {
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

  test('is read whatever the case of its keys, and null counts as absent', () => {
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

    test('where DPS sends the certificate itself, as PEM or without its two lines', async () => {
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
    ])('where it can: %j', (x509, subject) => {
      expect(subjectIn(x509)).toBe(subject);
    });
  });

  test('names each hub once, as it was spelt last', () => {
    const { linkedHubs } = requestOf({
      linkedHubs: ['A.azure-devices.net', 'b.azure-devices.net', 'a.azure-devices.net'],
    });

    expect(linkedHubs).toEqual([
      { host: 'a.azure-devices.net', text: 'a.azure-devices.net' },
      { host: 'b.azure-devices.net', text: 'b.azure-devices.net' },
    ]);
  });

  test('names a hub with two linked names once, with the name to answer first', () => {
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

  test('shows expressions no current hub where its name is none', () => {
    const request = requestOf({ context: { currentIotHubHostName: 'two words', currentDeviceId: 'd-1' } });

    expect(request.current?.hub).toBe('(not a host name)');
    expect(requestFacts(request).current).toEqual({ deviceId: 'd-1' });
  });

  test('is read with the documented spelling where a key stands twice', () => {
    const request = requestOf({ context: { REGISTRATIONID: 'wrong' } });

    expect(request.registrationId).toBe('breakroom499-contoso-tstrsd-007');
  });

  test('gives nothing of keys on', () => {
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
    ['an object', [], 'the body must be an object'],
    ['a context', { linkedHubs: ['a.b'] }, 'deviceRuntimeContext must be an object'],
    [
      'a registration id',
      { deviceRuntimeContext: {}, linkedHubs: ['a.b'] },
      'deviceRuntimeContext.registrationId must be a string',
    ],
    [
      'one of DPS’s alphabet',
      { deviceRuntimeContext: { registrationId: 'a b' }, linkedHubs: ['a.b'] },
      'deviceRuntimeContext.registrationId must be at most 128',
    ],
    ['linked hubs', { deviceRuntimeContext: { registrationId: 'a' } }, 'linkedHubs must be an array'],
    [
      'at least one',
      { deviceRuntimeContext: { registrationId: 'a' }, linkedHubs: [] },
      'linkedHubs must not be empty',
    ],
    [
      'texts in it',
      { deviceRuntimeContext: { registrationId: 'a' }, linkedHubs: [1] },
      'linkedHubs[0] must be a string',
    ],
    [
      'the right types elsewhere',
      { ...CAPTURED, enrollmentGroup: { capabilities: 'yes' } },
      'enrollmentGroup.capabilities must be an object',
    ],
    [
      'a twin of objects',
      { ...CAPTURED, enrollmentGroup: { initialTwin: { tags: [1] } } },
      'enrollmentGroup.initialTwin.tags must be an object',
    ],
  ])('must have %s', (_, json, message) => {
    const error = failure(() => parseAllocationRequest(json));

    expect(error.code).toBe('BERTH_REQUEST_INVALID');
    expect(error.message).toContain(message);
    expect(error.details.length).toBeGreaterThan(0);
  });

  test('a wrong value is not repeated, since it may be a key', () => {
    const error = failure(() => requestOf({ context: { registrationId: 'c2VjcmV0 ' } }));

    expect(JSON.stringify([error.message, error.details])).not.toContain('c2VjcmV0');
  });
});

describe('a body', () => {
  test.each([
    ['nothing', '', 'BERTH_REQUEST_NOT_JSON'],
    ['no JSON', 'registrationId=x', 'BERTH_REQUEST_NOT_JSON'],
    ['a cut-off object', '{"a":', 'BERTH_REQUEST_NOT_JSON'],
    ['a megabyte', `"${'x'.repeat(1024 * 1024)}"`, 'BERTH_REQUEST_TOO_LARGE'],
    ['a __proto__ key', '{"a":[{"__proto__":{}}]}', 'BERTH_REQUEST_INVALID'],
    ['a __proto__ key in escapes', '{"\\u005f_proto__":{}}', 'BERTH_REQUEST_INVALID'],
    ['a hundred thousand levels', `${'['.repeat(100_000)}${']'.repeat(100_000)}`, 'BERTH_REQUEST_INVALID'],
  ])('of %s is refused', (_, text, code) => {
    expect(failure(() => readRequestBody(bytes(text.slice(0, 2 * MAX_BODY_BYTES))))).toMatchObject({ code });
  });

  test('that is not UTF-8 is refused', () => {
    expect(failure(() => readRequestBody(new Uint8Array([0x22, 0xff, 0x22])))).toMatchObject({
      code: 'BERTH_REQUEST_NOT_JSON',
    });
  });

  test('is refused without quoting it', () => {
    expect(failure(() => readRequestBody(bytes('{"key":c2VjcmV0}'))).message).not.toContain('c2VjcmV0');
  });
});
