import { describe, expect, test } from '@jest/globals';
import {
  changeBetween,
  fingerprintOf,
  keyName,
  missingSettings,
  settingsOf,
  withSecrets,
} from '../../src/edge/fingerprint.ts';
import { edgeDevice, edgeFleet, manifestOf } from './edge-devices.ts';

const KEY = Buffer.from('key of the tests');
const OTHER_KEY = Buffer.from('another key');
const VALUES: Readonly<Record<string, string>> = { USER: 'ann', PASSWORD: 'Hunter2', SENSOR_KEY: 'Hunter3' };
const values = (name: string) => VALUES[name];
const rotated = (name: string) => (name === 'PASSWORD' ? 'Hunter4' : VALUES[name]);

const REGISTRIES = [
  { address: 'contoso.azurecr.io', username: 'setting:USER', password: 'setting:PASSWORD' },
];
const fleetWith = (module: object, edge: object = { registries: REGISTRIES }) =>
  edgeFleet([{ name: 'sensor', modules: { sensor: { image: 'a:1', ...module } } }], edge);
const manifest = manifestOf(fleetWith({ env: { KEY: 'setting:SENSOR_KEY' } }));
const applied = fingerprintOf(manifest, values, KEY);

describe('the fingerprint of a manifest', () => {
  test('holds no value of a setting', () => {
    const text = JSON.stringify(applied);

    for (const value of Object.values(VALUES)) expect(text).not.toContain(value);
  });

  test('is the same for the same content in another order and form', () => {
    const one = manifestOf(
      fleetWith({ env: { A: '1', B: '2' }, createOptions: { Env: ['X=1'], Tty: true } }),
    );
    const other = manifestOf(
      fleetWith({ createOptions: '{ "Tty": true, "Env": ["X=1"] }', env: { B: '2', A: '1' } }),
    );

    expect(fingerprintOf(other, values, KEY)).toEqual(fingerprintOf(one, values, KEY));
  });

  test.each([
    ['another image', { image: 'a:2', env: { KEY: 'setting:SENSOR_KEY' } }],
    ['another variable', { env: { KEY: 'setting:SENSOR_KEY', A: 1 } }],
    ['another setting', { env: { KEY: 'setting:USER' } }],
    ['a literal with the name of the setting', { env: { KEY: '="setting:SENSOR_KEY"' } }],
    ['other options', { env: { KEY: 'setting:SENSOR_KEY' }, createOptions: { Tty: true } }],
    ['desired properties', { env: { KEY: 'setting:SENSOR_KEY' }, desired: { a: 1 } }],
  ])('%s is another content', (_, module) => {
    expect(changeBetween(applied, fingerprintOf(manifestOf(fleetWith(module)), values, KEY))).toBe('content');
  });

  test('a rotated credential is a change of secrets', () => {
    expect(changeBetween(applied, fingerprintOf(manifest, rotated, KEY))).toBe('secrets');
  });

  test('the same values are no change', () => {
    expect(changeBetween(applied, fingerprintOf(manifest, values, KEY))).toBe('none');
  });

  test('a change of the key alone causes no apply', () => {
    expect(changeBetween(applied, fingerprintOf(manifest, values, OTHER_KEY))).toBe('none');
    expect(changeBetween(applied, fingerprintOf(manifest, rotated, OTHER_KEY))).toBe('none');
  });

  test('without the values everything else is compared', () => {
    expect(changeBetween(applied, fingerprintOf(manifest, undefined, undefined))).toBe('none');
    expect(
      changeBetween(applied, fingerprintOf(manifestOf(fleetWith({ image: 'a:2' })), undefined, undefined)),
    ).toBe('content');
  });

  test('a manifest without settings has no hash of secrets', () => {
    expect(fingerprintOf(manifestOf(fleetWith({}, {})), values, KEY)).toMatchObject({
      secrets: undefined,
      key: keyName(KEY),
    });
  });

  test('two devices with the same content have the same fingerprint', () => {
    const fleet = fleetWith({});

    expect(fingerprintOf(manifestOf(fleet, edgeDevice({}, 'a')), values, KEY)).toEqual(
      fingerprintOf(manifestOf(fleet, edgeDevice({}, 'b')), values, KEY),
    );
  });
});

describe('the settings of a manifest', () => {
  test('are those of its registries and variables', () => {
    expect(settingsOf(manifest)).toEqual(['PASSWORD', 'SENSOR_KEY', 'USER']);
  });

  test('are missing if they are not set or empty', () => {
    expect(missingSettings(manifest, (name) => (name === 'USER' ? '' : undefined))).toEqual([
      'PASSWORD',
      'SENSOR_KEY',
      'USER',
    ]);
    expect(missingSettings(manifest, values)).toEqual([]);
  });

  test('are filled in for one apply', () => {
    const text = JSON.stringify(withSecrets(manifest, values));

    for (const value of Object.values(VALUES)) expect(text).toContain(value);
    expect(text).not.toContain('setting:');
  });
});
