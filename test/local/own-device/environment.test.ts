import { execFileSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import type { OwnDevice } from '../../../local/own-device/credentials.ts';
import { deviceEnvironment, shellLines } from '../../../local/own-device/environment.ts';
import type { RunningStack } from '../../../local/own-device/stack.ts';

const STACK: RunningStack = {
  ports: { https: 7443, mqtt: 8883 },
  idScope: '0ne00000001',
  root: 'PEM',
  plain: true,
  certificates: { root: '/state/ca/root.pem', bundle: '/state/ca/bundle.pem' },
  settings: {},
};
const KEYED: OwnDevice = {
  registrationId: 'lamp',
  idScope: '0ne00000001',
  enrollment: { kind: 'group', id: 'devices', isNew: true },
  key: 'a2V5',
  certificate: null,
  tpm: null,
};
const EVENTS = 'Endpoint=sb://localhost;EntityPath=iothub-ehub-contoso-weu;';
const LAMP = { hub: 'contoso-weu.azure-devices.net', deviceId: 'lamp' };

describe('the environment of a device', () => {
  test('names the hub, the key, DPS, and the files with the certificates', () => {
    expect(deviceEnvironment(LAMP, KEYED, STACK, EVENTS)).toEqual({
      NODE_EXTRA_CA_CERTS: '/state/ca/root.pem',
      SSL_CERT_FILE: '/state/ca/bundle.pem',
      REQUESTS_CA_BUNDLE: '/state/ca/bundle.pem',
      IOTHUB_CA_FILE: '/state/ca/root.pem',
      IOTHUB_HOST: 'contoso-weu.azure-devices.net',
      IOTHUB_DEVICE_ID: 'lamp',
      IOTHUB_DEVICE_CONNECTION_STRING:
        'HostName=contoso-weu.azure-devices.net;DeviceId=lamp;SharedAccessKey=a2V5;GatewayHostName=localhost',
      EVENT_HUB_CONNECTION_STRING: EVENTS,
      PROVISIONING_HOST: 'localhost',
      PROVISIONING_IDSCOPE: '0ne00000001',
      PROVISIONING_REGISTRATION_ID: 'lamp',
      PROVISIONING_SYMMETRIC_KEY: 'a2V5',
    });
  });

  test('names the files of a certificate in place of a key, and a port that is not the usual one', () => {
    const own = { ...KEYED, key: null, certificate: { certificate: '/c.pem', key: '/c.key' } };
    const environment = deviceEnvironment(LAMP, own, { ...STACK, ports: { https: 1, mqtt: 2 } }, EVENTS);

    expect(environment).toMatchObject({
      IOTHUB_DEVICE_CONNECTION_STRING:
        'HostName=contoso-weu.azure-devices.net;DeviceId=lamp;x509=true;GatewayHostName=localhost:2',
      X509_CERT_FILE: '/c.pem',
      X509_KEY_FILE: '/c.key',
    });
    expect(environment).not.toHaveProperty('PROVISIONING_SYMMETRIC_KEY');
  });

  test('reaches a program of the shell as it is, whatever the values contain', () => {
    const values = { PLAIN: 'a b', QUOTED: `it's "$HOME" \`x\` \\ ;`, EMPTY: '' };
    const script = `${shellLines(values, 'sh').join('\n')}\n"${process.execPath}" -p 'JSON.stringify([process.env.PLAIN, process.env.QUOTED, process.env.EMPTY])'`;

    expect(JSON.parse(execFileSync('sh', ['-c', script], { encoding: 'utf8' }))).toEqual(
      Object.values(values),
    );
  });

  test('has the form of PowerShell, in which a quote is doubled', () => {
    expect(shellLines({ NAME: "it's" }, 'powershell')).toEqual(["$env:NAME = 'it''s'"]);
  });
});
