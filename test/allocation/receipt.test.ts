import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { decide } from '../../src/allocation/decide.ts';
import { receiptOf } from '../../src/allocation/receipt.ts';
import { hostName } from '../../src/fleet/host-name.ts';
import { fleetOf, requestOf } from './requests.ts';

const NOW = Date.UTC(2026, 10, 23, 12);

const input = () => ({
  request: requestOf({
    context: {
      payload: { site: 'ams', country: 'FR', secret: 'c2VjcmV0' },
      symmetricKey: { primaryKey: 'cHJpbWFyeQ==' },
      currentIotHubHostName: 'old.azure-devices.net',
    },
    group: { reprovisionPolicy: { updateHubAssignment: true, migrateDeviceData: false } },
    linkedHubs: ['WEU.azure-devices.net', 'eus.azure-devices.net', 'sea.azure-devices.net', 'x.example.com'],
  }),
  fleet: fleetOf({
    hubs: {
      weu: { weight: 3, labels: { residency: 'eu' } },
      eus: { state: 'cordoned', labels: { residency: 'eu' } },
    },
    allocation: {
      rules: [
        { name: 'eu', when: "payload.country in ['DE', 'FR']", require: { residency: 'eu' } },
        { name: 'odd', when: 'payload.odd', deny: 'odd' },
      ],
    },
    twins: {
      initial: [
        { name: 'base', tags: { site: '=payload.site', floor: '=payload.floor' }, desired: { interval: 5 } },
      ],
    },
  }),
  conditions: {
    loadedAt: NOW - 5_000,
    hubs: new Map([
      [
        hostName('weu.azure-devices.net'),
        {
          devices: { count: 12, countedAt: NOW - 60_000 },
          failures: 0,
          override: { weight: 2, author: 'ann@contoso.com', reason: 'test', expiresAt: NOW + 1 },
        },
      ],
    ]),
    causes: new Map(),
  },
  now: NOW,
});

test('a receipt says everything that was read and why, and is always the same for the same inputs', () => {
  const receipt = receiptOf(input(), decide(input()));

  expect(JSON.parse(JSON.stringify(receipt))).toEqual(
    JSON.parse(readFileSync('test/allocation/receipt.golden.json', 'utf8')),
  );
});

test('a receipt holds no key, no twin value, and no input that no rule reads', () => {
  const text = JSON.stringify(receiptOf(input(), decide(input())));

  expect(text).not.toMatch(/c2VjcmV0|cHJpbWFyeQ|"interval":5/);
});
