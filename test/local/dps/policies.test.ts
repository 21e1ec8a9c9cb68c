import { describe, expect, test } from '@jest/globals';
import { maskQuery } from '../../../local/dps/enrollments/enrollment.ts';
import { createDps, type Enrollment, RETRY_WAITS_MS } from '../../../local/dps/index.ts';
import { chooseHub } from '../../../local/dps/registration/built-in-policy.ts';
import { planAssignment } from '../../../local/dps/registration/reprovisioning.ts';
import { callUntilAnswered } from '../../../local/dps/registration/webhook.ts';
import { testKey } from '../iot-hub/local-hubs.ts';

const ids = Array.from({ length: 4000 }, (_, index) => `dev-${index}`);

describe('the allocation policies of DPS', () => {
  const hubs = [
    { host: 'a', allocationWeight: 3 },
    { host: 'b' },
    { host: 'c', applyAllocationPolicy: false },
  ];

  test.each(['hashed', 'geoLatency'] as const)(
    '%s spreads by weight and gives each device the same hub again',
    (policy) => {
      const chosen = ids.map((id) => chooseHub(policy, hubs, id));
      const share = chosen.filter((host) => host === 'a').length / ids.length;

      expect(share).toBeGreaterThan(0.72);
      expect(share).toBeLessThan(0.78);
      expect(chosen).not.toContain('c');
      expect(ids.map((id) => chooseHub(policy, hubs, id.toUpperCase()))).toEqual(chosen);
    },
  );

  test('the policy static chooses the only hub', () => {
    expect(chooseHub('static', [{ host: 'b', applyAllocationPolicy: false }], 'dev-1')).toBe('b');
  });

  test('a policy chooses no hub where no hub takes devices', () => {
    expect(chooseHub('hashed', [], 'dev-1')).toBeUndefined();
    expect(chooseHub('hashed', [{ host: 'c', applyAllocationPolicy: false }], 'dev-1')).toBeUndefined();
  });
});

describe('the plan of a registration', () => {
  const current = { host: 'a', deviceId: 'dev-1' };
  const migrate = { updateHubAssignment: true, migrateDeviceData: true };
  const reset = { updateHubAssignment: true, migrateDeviceData: false };
  const never = { updateHubAssignment: false, migrateDeviceData: false };

  test.each([
    [
      'a device without a hub',
      'a',
      undefined,
      migrate,
      { host: 'a', twin: 'initial', substatus: 'initialAssignment' },
    ],
    [
      'a device on the same hub with the policy migrate',
      'A',
      current,
      migrate,
      { host: 'a', twin: 'keep', substatus: 'reprovisionedToInitialAssignment' },
    ],
    [
      'a device on the same hub with the policy reset',
      'a',
      current,
      reset,
      { host: 'a', twin: 'keep', substatus: 'reprovisionedToInitialAssignment' },
    ],
    [
      'a device on another hub with the policy migrate',
      'b',
      current,
      migrate,
      { host: 'b', twin: 'migrated', substatus: 'deviceDataMigrated', leave: 'a' },
    ],
    [
      'a device on another hub with the policy reset',
      'b',
      current,
      reset,
      { host: 'b', twin: 'initial', substatus: 'deviceDataReset', leave: 'a' },
    ],
    [
      'a device on another hub with the policy never',
      'b',
      current,
      never,
      { host: 'a', twin: 'keep', substatus: 'reprovisionedToInitialAssignment' },
    ],
  ])('a registration is planned for %s', (_name, chosen, where, policy, expected) => {
    expect(planAssignment(chosen, where, policy)).toEqual(expected);
  });
});

describe('the retries of a webhook', () => {
  test('the retries wait 1, 10, … 82 seconds, about seven minutes in total', () => {
    expect(RETRY_WAITS_MS.map((wait) => wait / 1000)).toEqual([1, 10, 19, 28, 37, 46, 55, 64, 73, 82]);
    expect(RETRY_WAITS_MS.reduce((sum, wait) => sum + wait, 0)).toBe(415_000);
  });

  test.each([
    [[200], 1, 200],
    [[428], 1, 428],
    [[429, 500, 200], 3, 200],
    [[503, 503, 503, 503], 3, 503],
    [[0, 0, 0], 3, undefined],
    [[503, 0, 400], 3, 400],
  ])('the statuses %j lead to %i calls and the final status %s', async (statuses, calls, last) => {
    let made = 0;
    const call = async () => {
      const status = statuses[made] ?? 0;
      made += 1;
      if (status === 0) throw new Error('no connection');
      return { status, body: '' };
    };

    const response = await callUntilAnswered(call, [0, 0], new AbortController().signal);

    expect([made, response?.status]).toEqual([calls, last]);
  });
});

test('the query of a webhook’s URL is masked', () => {
  expect(maskQuery('https://x/api/y?code=a?b&c=d')).toBe('https://x/api/y?****');
  expect(maskQuery('https://x/api/y')).toBe('https://x/api/y');
});

describe('enrollments that DPS refuses', () => {
  const good: Enrollment = {
    enrollmentGroupId: 'g',
    attestation: { type: 'symmetricKey', primaryKey: testKey(1), secondaryKey: testKey(2) },
  };
  const create = (enrollments: readonly Enrollment[], hubs = 1) =>
    createDps({
      idScope: '0ne1',
      serviceHost: 'x',
      enrollments,
      linkedHubs: Array.from({ length: hubs }, (_, index) => ({ host: `hub-${index}` })),
      hub: () => undefined,
    }).close();

  test.each<[string, readonly Enrollment[], RegExp]>([
    [
      'a key that is not base64',
      [{ ...good, attestation: { type: 'symmetricKey', primaryKey: 'secret!', secondaryKey: '' } }],
      /^Enrollment g: a key is not base64/,
    ],
    [
      'a certificate that is not PEM',
      [{ ...good, attestation: { type: 'x509', certificates: ['x'] } }],
      /not PEM/,
    ],
    [
      'an empty list of certificates',
      [{ ...good, attestation: { type: 'x509', certificates: [] } }],
      /not PEM/,
    ],
    [
      'the policy custom but no webhook',
      [{ ...good, allocationPolicy: 'custom' }],
      /customAllocationDefinition/,
    ],
    ['an initial twin of the wrong shape', [{ ...good, initialTwin: { tags: [] } } as never], /initialTwin/],
    ['101 groups', Array.from({ length: 101 }, () => good), /at most 100/],
  ])('an enrollment file with %s is refused', (_name, enrollments, message) => {
    expect(() => create(enrollments)).toThrow(message);
    expect(() => create(enrollments)).toThrow(
      expect.objectContaining({ code: 'BERTH_LOCAL_ENROLLMENT_INVALID' }),
    );
    expect(() => create(enrollments)).not.toThrow(/secret!/);
  });

  test('51 linked hubs are refused', () => {
    expect(() => create([good], 51)).toThrow(/at most 50/);
  });
});
