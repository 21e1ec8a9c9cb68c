import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { environmentIn } from '../../src/cli/shell/environment.ts';
import { ownerOf, signedInAs } from '../../src/cli/shell/signed-in.ts';
import { CAPTURED } from '../allocation/requests.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { berth, flags, listen, NOW } from './terminals.ts';

let folder: string;
beforeAll(() => {
  folder = temporaryFolder('explain');
});
const file = (json: unknown): string => {
  const path = join(folder, `${Math.random()}.json`);
  writeFileSync(path, JSON.stringify(json));
  return path;
};
const hub = (name: string, region: string, residency: string) => ({
  host: `${name}.azure-devices.net`,
  region,
  tier: 'S1',
  labels: { residency },
});
const FLEET = {
  hubs: [hub('weu', 'westeurope', 'eu'), hub('eus', 'eastus', 'us'), hub('sea', 'southeastasia', 'sg')],
  allocation: {
    latency: { halfLifeMs: 25 },
    rules: [{ name: 'eu', when: "payload.country in ['DE']", require: { residency: 'eu' } }],
  },
  twins: { initial: [{ name: 'base', tags: { site: '=payload.site', floor: '=payload.floor' } }] },
};
const REQUEST = {
  ...CAPTURED,
  deviceRuntimeContext: {
    ...CAPTURED.deviceRuntimeContext,
    symmetricKey: { primaryKey: 'cHJpbWFyeQ==' },
    payload: { country: 'DE', site: 'ams', latency: { westeurope: 12, eastus: -5 } },
  },
};
const explained = async (request: unknown, fleet: unknown = FLEET, json = false) => {
  const { cli, out } = listen();
  const code = await berth(cli, 'explain', ...flags({ fleet: file(fleet), request: file(request), json }));
  return { code, text: out() };
};

describe('berth explain', () => {
  const moving = (over: string | undefined) => ({
    ...FLEET,
    hubs: FLEET.hubs.map((each) => (each.region === 'westeurope' ? { ...each, state: 'draining' } : each)),
    allocation: { ...(over !== undefined && { moves: { over } }) },
  });
  const REGISTERS_AGAIN = {
    ...CAPTURED,
    deviceRuntimeContext: {
      ...CAPTURED.deviceRuntimeContext,
      currentIotHubHostName: 'weu.azure-devices.net',
      currentDeviceId: 'breakroom499-contoso-tstrsd-007',
    },
  };
  const ALL_COMPLETE = 'all gradual moves count as complete, as in "berth what-if"';

  test.each([
    ['at once', undefined],
    ['over days', '7d'],
  ])('says that a device leaves a hub that the file drains, also if it moves devices %s', async (_, over) => {
    const { text } = await explained(REGISTERS_AGAIN, moving(over));

    expect(text).toMatch(/→ (eus|sea)\.azure-devices\.net \(moved: the current hub is draining\)/);
    expect(text.includes(`Note: ${ALL_COMPLETE}`)).toBe(over !== undefined);
    expect(text).toContain('Decided from the fleet file alone');
  });

  test.each([
    ['a first registration', REQUEST, FLEET, []],
    ['a gradual move', REGISTERS_AGAIN, moving('7d'), [expect.stringContaining(ALL_COMPLETE)]],
  ])('claims no conditions in the receipt of %s, now or later', async (_, request, fleet, notes) => {
    const receipt = JSON.parse((await explained(request, fleet, true)).text);

    const again = await explained(receipt, fleet);

    expect(receipt.conditions).not.toHaveProperty('ageMs');
    expect(receipt.notes).toEqual(expect.arrayContaining(notes));
    expect(again.code).toBe(0);
    expect(again.text).toContain('Recomputed: the receipt is identical.');
    expect(again.text).toContain('Decided from the fleet file alone');
    expect(again.text.includes(ALL_COMPLETE)).toBe(notes.length > 0);
  });

  test('says in words which hub a device gets, and why', async () => {
    const { code, text } = await explained(REQUEST);

    expect(code).toBe(0);
    expect(text).toContain(
      `${CAPTURED.deviceRuntimeContext.registrationId} → weu.azure-devices.net (placed: first registration)`,
    );
    expect(text).toMatch(/weu\.azure-devices\.net +12 ms +measured +1 +0\.\d+/);
    expect(text).toMatch(/eus\.azure-devices\.net +- +- +- +does not meet a require rule/);
    expect(text).toMatch(/eu +matched +yes/);
    expect(text).toMatch(/tags\.site +base/);
    expect(text).toContain('Left out: tags.floor: base: the key floor is missing.');
    expect(text).toContain('Note: payload.latency of eastus is not a number from 0 to 60000.');
    expect(text).not.toContain('cHJpbWFyeQ');
  });

  test('says why a device is refused, with the code', async () => {
    const { text } = await explained({ ...REQUEST, linkedHubs: ['eus.azure-devices.net'] });

    expect(text).toMatch(/→ refused: No linked hub qualifies .* \[BERTH_NO_HUB_QUALIFIES\]/);
  });

  test('makes a receipt that it can recompute exactly', async () => {
    const receipt: unknown = JSON.parse((await explained(REQUEST, FLEET, true)).text);

    const again = await explained(receipt);
    const asJson = await explained(receipt, FLEET, true);

    expect(again).toEqual({
      code: 0,
      text: expect.stringContaining('Recomputed: the receipt is identical.'),
    });
    expect(JSON.parse(asJson.text)).toEqual({ receipt, differences: [], notKept: [] });
  });

  test.each<[string, (receipt: unknown) => unknown]>([
    ['a line of the log', (receipt) => ({ event: 'allocated', receipt })],
    ['an answer about a device', (receipt) => ({ deviceId: 'd', twins: [], receipts: [receipt, {}] })],
    ['its receipts', (receipt) => [receipt]],
    ['the JSON output of berth explain', (receipt) => ({ receipt, differences: [], notKept: [] })],
  ])('finds the receipt in %s', async (_, wrapped) => {
    const receipt: unknown = JSON.parse((await explained(REQUEST, FLEET, true)).text);

    expect((await explained(wrapped(receipt))).text).toContain('Recomputed: the receipt is identical.');
  });

  test('shows the override of an operator and decides again with it', async () => {
    const receipt = JSON.parse((await explained(REQUEST, FLEET, true)).text) as {
      readonly hubs: readonly { readonly host: string }[];
    };
    const cordoned = {
      value: 'cordoned',
      author: 'ann@contoso.com',
      reason: 'certificate roll',
      expiresAt: NOW + 1,
    };
    const stored = {
      ...receipt,
      conditions: { ageMs: 5_000, causes: {} },
      hubs: receipt.hubs.map((line) =>
        line.host === 'weu.azure-devices.net' ? { ...line, overrides: { state: cordoned } } : line,
      ),
    };

    const { code, text } = await explained(stored);

    expect(code).toBe(1);
    expect(text).toContain('BERTH_NO_HUB_NOW');
    expect(text).toMatch(/weu\.azure-devices\.net .*cordoned.*ann@contoso\.com/);
  });

  test('reports a receipt that was changed afterwards', async () => {
    const receipt = JSON.parse((await explained(REQUEST, FLEET, true)).text) as Record<string, unknown>;
    const tampered = {
      ...receipt,
      result: { ...(receipt.result as object), hub: 'eus.azure-devices.net' },
    };

    const { code, text } = await explained(tampered);

    expect(code).toBe(1);
    expect(text).toContain('Recomputed: the new receipt differs in result.hub.');
  });

  test('compares a receipt with the decision of another fleet file', async () => {
    const receipt: unknown = JSON.parse((await explained(REQUEST, FLEET, true)).text);
    const other = { ...FLEET, allocation: { rules: [{ name: 'closed', deny: 'closed for today' }] } };

    const { code, text } = await explained(receipt, other);

    expect(code).toBe(0);
    expect(text).toContain('closed for today');
    expect(text).toMatch(
      /The receipt was made with revision [0-9a-f]{12}\. This file has revision [0-9a-f]{12} and differs in result/,
    );
  });

  test.each<[string, unknown, unknown, string]>([
    ['a request without the fields of DPS', { hello: 'world' }, FLEET, 'BERTH_REQUEST_INVALID'],
    ['a broken receipt', { result: {}, inputs: {} }, FLEET, 'BERTH_REQUEST_INVALID'],
    ['a fleet file with problems', REQUEST, { hubs: [] }, 'BERTH_FLEET_INVALID'],
  ])('refuses %s with a code', async (_, request, fleet, code) => {
    await expect(explained(request, fleet)).rejects.toMatchObject({ code });
  });
});

describe('the author of an override', () => {
  const token = (claims: object) => `x.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.y`;

  test.each<[string, string, string]>([
    ['the token of a person', token({ upn: 'ann@contoso.com', appid: 'azure-cli' }), 'ann@contoso.com'],
    ['the token of a guest', token({ unique_name: 'live.com#bob@x.com' }), 'live.com#bob@x.com'],
    ['the token of an application', token({ appid: '0000-1', oid: 'o' }), 'application 0000-1'],
    ['the token of a managed identity', token({ oid: 'object-1' }), 'object-1'],
    ['a token that names no identity', token({}), 'an unknown identity'],
    ['a text that is not a token', 'nope', 'an unknown identity'],
  ])('the author of an override is read from %s', (_, given, owner) => {
    expect(ownerOf(given)).toBe(owner);
  });
});

test.each(['AggregateAuthenticationError', 'CredentialUnavailableError', 'AuthenticationError', 'TypeError'])(
  'an expired sign-in is a coded error that names the remedy and not the message of %s',
  async (name) => {
    const failure = Object.assign(new Error('Authorization: Bearer s3cret'), { name });

    const error = await signedInAs({ getToken: () => Promise.reject(failure) }).catch(
      (thrown: unknown) => thrown,
    );

    expect(error).toMatchObject({
      code: 'BERTH_STORE_UNAVAILABLE',
      message: `Cannot get a token for the state tables (${name}): run "az login", or check AZURE_CLIENT_ID.`,
    });
    expect(`${error} ${JSON.stringify(error)}`).not.toContain('s3cret');
  },
);

test('a setting in the environment takes precedence over local.settings.json', () => {
  writeFileSync(join(folder, 'local.settings.json'), JSON.stringify({ Values: { A: 'file', B: 'file' } }));

  expect(environmentIn(folder, { A: 'env' })).toEqual({ A: 'env', B: 'file' });
  expect(environmentIn('/nowhere', { A: 'env' })).toEqual({ A: 'env' });
});

test('the connection to the state comes either from the environment or from local.settings.json, never from both', () => {
  const Values = { AzureWebJobsStorage: 'file', FLEET_FILE: 'x.json' };
  writeFileSync(join(folder, 'local.settings.json'), JSON.stringify({ Values }));
  const env = { BERTH_STATE__tableServiceUri: 'https://acc.table.core.windows.net' };

  expect(environmentIn(folder, {})).toEqual(Values);
  expect(environmentIn(folder, env)).toEqual({ ...env, FLEET_FILE: 'x.json' });
});

test.each<[string, string, RegExp]>([
  ['a text that is not JSON', '{', /is not JSON/],
  ['the key __proto__', '{"__proto__":{}}', /contains the key "__proto__"/],
  ['a hundred levels of nesting', '['.repeat(100) + ']'.repeat(100), /is nested deeper than 64 levels/],
])('a request file with %s is refused', async (_, text, message) => {
  const request = join(folder, 'odd.json');
  writeFileSync(request, text);
  const { cli } = listen();

  await expect(berth(cli, 'explain', ...flags({ fleet: file(FLEET), request }))).rejects.toMatchObject({
    code: 'BERTH_FILE_UNREADABLE',
    message: expect.stringMatching(message),
  });
});

test('a request file that begins with a byte order mark is read', async () => {
  const request = join(folder, 'bom.json');
  writeFileSync(request, `\uFEFF${JSON.stringify(REQUEST)}`);
  const { cli, out } = listen();

  expect(await berth(cli, 'explain', ...flags({ fleet: file(FLEET), request }))).toBe(0);
  expect(out()).toContain('weu.azure-devices.net');
});
