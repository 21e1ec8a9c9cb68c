import { describe, expect, test } from '@jest/globals';
import { parseFleet } from '../../src/fleet/file/parse.ts';
import {
  checkedHostName,
  eventHubName,
  hostName,
  NOT_A_HOST_NAME,
  parseHubName,
  shownHub,
} from '../../src/iot-hub/host-name.ts';

const SECRET = 'HostName=weu.azure-devices.net;SharedAccessKeyName=x;SharedAccessKey=c2VjcmV0';
const hub = (host: string, more: object = {}) => ({ host, region: 'westeurope', tier: 'S1', ...more });
const problemsOf = (file: object): readonly string[] => {
  const parsed = parseFleet(JSON.stringify(file));
  return parsed.ok ? [] : parsed.problems.map(({ path, message }) => `${path} ${message}`);
};

describe('a host name of a hub', () => {
  test.each([
    ['contoso-weu.azure-devices.net', 'contoso-weu.azure-devices.net', 'classic'],
    ['Contoso-WEU.Azure-Devices.NET', 'contoso-weu.azure-devices.net', 'classic'],
    ['contoso-weu.device.azure-devices.net', 'contoso-weu.azure-devices.net', 'device'],
    ['contoso-weu.SERVICE.azure-devices.net', 'contoso-weu.azure-devices.net', 'service'],
    ['contoso-cn.azure-devices.cn', 'contoso-cn.azure-devices.cn', 'classic'],
    ['contoso-cn.device.azure-devices.cn', 'contoso-cn.azure-devices.cn', 'device'],
    ['contoso-us.service.azure-devices.us', 'contoso-us.azure-devices.us', 'service'],
    ['device.azure-devices.net', 'device.azure-devices.net', 'classic'],
    ['device.device.azure-devices.net', 'device.azure-devices.net', 'device'],
    ['contoso.device.azure-devices.de', 'contoso.device.azure-devices.de', 'other'],
    ['contoso.device.azure-devices.net.evil.com', 'contoso.device.azure-devices.net.evil.com', 'other'],
    ['a.contoso.device.azure-devices.net', 'a.contoso.device.azure-devices.net', 'other'],
    ['contoso.edge.azure-devices.net', 'contoso.edge.azure-devices.net', 'other'],
    ['a.b.c', 'a.b.c', 'other'],
  ])('is parsed: %s is hub %s by its %s name', (text, host, kind) => {
    expect(parseHubName(text)).toEqual({ host, kind, name: text.toLowerCase() });
    expect(hostName(text)).toBe(host);
  });

  test.each([
    SECRET,
    '',
    ' ',
    'weu',
    'weu.azure-devices.net ',
    'https://weu.azure-devices.net',
    'a..b',
    '-a.b',
  ])('is not accepted: %j', (text) => {
    expect(parseHubName(text)).toBeUndefined();
    expect(checkedHostName(text)).toBe(NOT_A_HOST_NAME);
  });

  test('is repeated in messages, as are short names, and no other text is', () => {
    expect(shownHub('weu.azure-devices.net')).toBe('"weu.azure-devices.net"');
    expect(shownHub('weu')).toBe('"weu"');
    expect(shownHub(SECRET)).toBe('a text that is no host name (not repeated)');
  });

  test('can be a short name or any host name in an event', () => {
    expect(eventHubName('WEU')).toBe('weu');
    expect(eventHubName('weu.device.azure-devices.net')).toBe('weu.azure-devices.net');
    expect(eventHubName(SECRET)).toBe(NOT_A_HOST_NAME);
  });
});

describe('a fleet file with host names', () => {
  test('accepts any name of a hub and identifies the hub by its classic name', () => {
    const parsed = parseFleet(
      JSON.stringify({
        hubs: [hub('WEU.device.azure-devices.net'), hub('eus.service.azure-devices.net')],
        allocation: {
          rules: [
            { name: 'a', hub: 'weu.service.azure-devices.net' },
            { name: 'b', prefer: { 'EUS.device.azure-devices.net': 2 } },
          ],
        },
      }),
    );

    expect(parsed).toMatchObject({
      ok: true,
      warnings: [],
      fleet: {
        hubs: [
          { host: 'weu.azure-devices.net', serviceHost: 'weu.azure-devices.net' },
          { host: 'eus.azure-devices.net', serviceHost: 'eus.azure-devices.net' },
        ],
        allocation: {
          rules: [{ effect: { host: 'weu.azure-devices.net' } }, { effect: { kind: 'prefer' } }],
        },
      },
    });
  });

  test('sets the host name for service calls', () => {
    const parsed = parseFleet(
      JSON.stringify({
        hubs: [hub('weu.azure-devices.net', { serviceHost: 'WEU.service.azure-devices.net' })],
      }),
    );

    expect(parsed).toMatchObject({
      ok: true,
      fleet: { hubs: [{ serviceHost: 'weu.service.azure-devices.net' }] },
    });
  });

  test.each([
    ['weu.device.azure-devices.net', /^hubs\[0\]\.serviceHost is "weu\.device.+", which is only for devices/],
    [
      'eus.azure-devices.net',
      /^hubs\[0\]\.serviceHost is "eus.+", which is not a name of weu\.azure-devices\.net: write a name of this hub$/,
    ],
    [
      'weu.service.azure-devices.us',
      /which is not a name of weu\.azure-devices\.net: write a name of this hub$/,
    ],
    [
      SECRET,
      /^hubs\[0\]\.serviceHost is a text that is no host name \(not repeated\): write the full host name/,
    ],
  ])('refuses the service host %s', (serviceHost, message) => {
    expect(problemsOf({ hubs: [hub('weu.azure-devices.net', { serviceHost })] })).toEqual([
      expect.stringMatching(message),
    ]);
  });

  test.each([
    [
      'weu.azure-devices.net',
      'WEU.device.azure-devices.net',
      'hubs[1].host is "weu.device.azure-devices.net", which is another name of the hub weu.azure-devices.net: write each hub once',
    ],
    [
      'weu.device.azure-devices.cn',
      'weu.service.azure-devices.cn',
      'hubs[1].host is "weu.service.azure-devices.cn", which is another name of the hub weu.device.azure-devices.cn: write each hub once',
    ],
    [
      'weu.azure-devices.net',
      'weu.azure-devices.net',
      'hubs[1].host is "weu.azure-devices.net", which is listed twice: remove one',
    ],
  ])('refuses %s and %s together', (one, other, message) => {
    expect(problemsOf({ hubs: [hub(one), hub(other)] })).toEqual([message]);
  });

  test('refuses hubs of two clouds that events cannot distinguish', () => {
    const [problem] = problemsOf({
      hubs: [hub('weu.azure-devices.net'), hub('weu.device.azure-devices.us')],
    });

    expect(problem).toContain('events contain only this part of the name');
  });

  test('refuses two preference factors for one hub', () => {
    const prefer = { 'weu.azure-devices.net': 2, 'weu.device.azure-devices.net': 3 };

    expect(
      problemsOf({ hubs: [hub('weu.azure-devices.net')], allocation: { rules: [{ name: 'a', prefer }] } }),
    ).toEqual([
      'allocation.rules[0].prefer contains "weu.device.azure-devices.net" and "weu.azure-devices.net", which name the same hub: write each hub once',
    ]);
  });

  test.each([
    ['the hubs', { hubs: [hub(SECRET)] }],
    [
      'a hub rule',
      { hubs: [hub('weu.azure-devices.net')], allocation: { rules: [{ name: 'a', hub: SECRET }] } },
    ],
    [
      'an invalid preference',
      {
        hubs: [hub('weu.azure-devices.net')],
        allocation: { rules: [{ name: 'a', prefer: { [SECRET]: 'x' } }] },
      },
    ],
    ['an unknown field', { hubs: [hub('weu.azure-devices.net')], [SECRET]: 1 }],
    ['a key in the place of a host name', { hubs: [hub('c2VjcmV0IGtleSBvZiAzMiBieXRlcyBpbiBiYXNlNjQ=')] }],
  ])('does not repeat a secret in %s', (_, file) => {
    const problems = problemsOf(file);

    expect(problems.length).toBeGreaterThan(0);
    expect(problems.join('\n')).not.toMatch(/c2Vjcm/);
  });

  test('warns of a preference for an invalid host name without repeating it', () => {
    const rules = [{ name: 'a', prefer: { [SECRET]: 2 } }];
    const parsed = parseFleet(
      JSON.stringify({ hubs: [hub('weu.azure-devices.net')], allocation: { rules } }),
    );

    expect(parsed).toMatchObject({
      warnings: [{ message: expect.stringMatching(/^names a text that is no host name \(not repeated\)/) }],
    });
  });

  test('warns of a condition that compares with a host name which Berth never uses', () => {
    const rules = [{ name: 'a', when: "current.hub == 'weu.device.azure-devices.net'", deny: 'x' }];
    const policies = [{ name: 'p', when: "hub.host != 'weu.service.azure-devices.net'", desired: { a: 1 } }];
    const parsed = parseFleet(
      JSON.stringify({ hubs: [hub('weu.azure-devices.net')], allocation: { rules }, twins: { policies } }),
    );

    expect(parsed).toMatchObject({
      ok: true,
      warnings: [
        {
          path: 'allocation.rules[0].when',
          message:
            'compares with "weu.device.azure-devices.net", which never matches: write the classic name, "weu.azure-devices.net"',
        },
        { path: 'twins.policies[0].when' },
      ],
    });
  });
});
