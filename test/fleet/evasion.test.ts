import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { evadableRules, evasionsOf } from '../../src/fleet/advice/evasion.ts';
import { effectOf, readableFacts, SILENT_DEVICE } from '../../src/fleet/advice/facts.ts';
import { parseFleet } from '../../src/fleet/file/parse.ts';
import type { Fleet, Rule } from '../../src/fleet/fleet.ts';
import type { JsonValue } from '../../src/json/json.ts';
import { fc } from '../support/properties.ts';

const hub = (name: string, residency: string) => ({
  host: `${name}.azure-devices.net`,
  region: 'westeurope',
  tier: 'S1',
  labels: { residency },
});

function fleetWith(rule: object): Fleet {
  const rules = [{ name: 'eu', ...rule }];
  const parsed = parseFleet(
    JSON.stringify({ hubs: [hub('weu', 'eu'), hub('eus', 'us')], allocation: { rules } }),
  );
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.fleet;
}
const REQUIRE = { require: { residency: 'eu' } };
const fleetOf = (when: string, more: object = {}) => fleetWith({ when, ...REQUIRE, ...more });

/** Inputs that evade the only rule, not only those that the warning names, as `path=value`. */
function evading(fleet: Fleet): readonly string[] {
  const [rule] = fleet.allocation.rules;
  return evasionsOf(rule as Rule).map(({ path, value }) => `${path.join('.')}=${JSON.stringify(value)}`);
}

const IN = "payload.country in ['DE', 'FR']";
const CLOSED = "oneOf(payload.country, ['DE', 'FR'], ['US', 'SG'])";

describe('a residency condition that a device can evade', () => {
  test.each<[string, string]>([
    // The condition compares an input with a few values, and all other values are outside.
    [IN, 'payload.country=""'],
    [IN, 'payload.country="de"'],
    [IN, 'payload.country="DE "'],
    [IN, 'payload.country=" DE"'],
    [IN, 'payload.country="DE\u00a0"'],
    [IN, 'payload.country="ԀЕ"'],
    [IN, 'payload.country="ＤＥ"'],
    ["payload.country == 'DE' || payload.country == 'FR'", 'payload.country="de"'],
    ["!(payload.country != 'DE')", 'payload.country="de"'],
    ["['DE', 'FR'].exists(c, c == payload.country)", 'payload.country="de"'],
    ["payload.country.startsWith('D')", 'payload.country="d"'],
    ["payload.country.contains('DE')", 'payload.country="de"'],
    ["payload.country.lowerAscii() == 'de'", 'payload.country="de "'],
    ["payload.country.trim().upperAscii() in ['DE', 'FR']", 'payload.country=""'],
    ["payload.country.substring(0, 2) == 'DE'", 'payload.country=" DE"'],
    ["payload.region.split('-')[0] == 'eu'", 'payload.region="EU"'],
    ["payload.country >= 'DE' && payload.country <= 'DEZ'", 'payload.country=""'],
    ["payload.site.country == 'DE'", 'payload.site.country="de"'],
    ["payload['country'] in ['DE']", 'payload.country="de"'],
    ["payload.country in {'DE': true}", 'payload.country="de"'],
    ["cel.bind(c, payload.country, c in ['DE'])", 'payload.country="de"'],
    ['payload.id == registrationId', 'payload.id=""'],
    // Guards that are false when the input is missing.
    [`payload.country != null && ${IN}`, 'payload.country=null'],
    [`payload.country != null && ${CLOSED}`, 'payload.country=null'],
    [`payload.country != '' && ${CLOSED}`, 'payload.country=""'],
    [`type(payload.country) == string && ${CLOSED}`, 'payload.country=5'],
    ["string(payload.country) in ['DE', 'FR']", 'payload.country=5'],
    [`has(payload.country) && ${CLOSED}`, 'payload.country=undefined'],
    [`'country' in payload && ${CLOSED}`, 'payload.country=undefined'],
    [`size(payload) > 0 && ${CLOSED}`, 'payload=undefined'],
    [`size(payload) == 1 && ${CLOSED}`, 'payload={"country":"DE","zz":"zz"}'],
    [`payload != {} && ${IN}`, 'payload=undefined'],
    [`payload.exists(k, k == 'country') && ${CLOSED}`, 'payload=undefined'],
    ["payload.exists(k, k == 'country' && payload[k] == 'DE')", 'payload={"country":"de"}'],
    ["payload == {'country': 'DE'}", 'payload={"country":"de"}'],
    [`size(payload.country) == 2 && ${CLOSED}`, 'payload.country=""'],
    ["payload[payload.key] == 'DE'", 'payload={"DE":"","key":"DE"}'],
    ['has(payload.eu)', 'payload.eu=undefined'],
    // Lists.
    ["'DE' in payload.countries", 'payload.countries=[]'],
    ["payload.countries.exists(c, c == 'DE')", 'payload.countries=["de"]'],
    ["payload.countries.exists(c, oneOf(c, ['DE'], ['US']))", 'payload.countries=[]'],
    ["payload.sites.exists(s, s.country == 'DE')", 'payload.sites=[{"country":"de"}]'],
    ["payload.sites[0].country == 'DE'", 'payload.sites=[{"country":"de"}]'],
    ["payload.sites[1]['country'] == 'DE'", 'payload.sites=[{"country":"de"},{"country":"de"}]'],
    ["payload.sites[0].address.country == 'DE'", 'payload.sites=[{"address":{"country":""}}]'],
    ["payload.countries[1] == 'DE'", 'payload.countries=["de","de"]'],
    ["payload.address.split(',')[2].trim() == 'DE'", 'payload.address=",,de"'],
    ["payload.serial.substring(3, 5) == 'DE'", 'payload.serial="xxxde"'],
    // Combinations with inputs that devices cannot choose, and with each other.
    [`registrationId.startsWith('eu-') || ${IN}`, 'payload.country="de"'],
    [`attestation.subject.contains('C=DE') || ${IN}`, 'payload.country="de"'],
    [`enrollment.initialTwin.tags.residency == 'eu' || ${IN}`, 'payload.country="de"'],
    [`payload.gdpr == true || ${IN}`, 'payload.country="de"'],
    ["payload.country == 'DE' ? true : oneOf(payload.market, ['eu'], ['us'])", 'payload.country="de"'],
    [`enrollment.id == 'eu' && ${IN}`, 'payload.country="de"'],
    [`registrationId.startsWith('eu-') && ${IN}`, 'payload.country="de"'],
    [`${CLOSED} && payload.model == 'x'`, 'payload.model="X"'],
    ['payload.country in enrollment.initialTwin.tags.countries', 'payload.country=""'],
    [`!has(payload.country) || ${IN}`, 'payload.country=""'],
    [`payload.a == 'x' && (!has(payload.country) || ${IN})`, 'payload.country=""'],
    [`${CLOSED} || payload.countries.exists(c, c == 'DE')`, 'payload.countries=[]'],
    [
      "payload.a == 'p' && payload.b == 'q' && payload.c == 'r' && payload.d == 's' && payload.e == 't'",
      'payload.c="R"',
    ],
  ])('gets a warning that names the input: %s, %s', (when, input) => {
    const fleet = fleetOf(when);

    expect(evading(fleet)).toContain(input);
    expect(evadableRules(fleet)).toEqual([
      {
        path: 'allocation.rules[0].when',
        message: expect.stringMatching(/^"eu" does not apply to a device that sends .*oneOf\(/),
      },
    ]);
  });

  test.each<[string, object]>([
    [IN, { whenUnknown: 'apply' }],
    [IN, { whenUnknown: 'refuse' }],
    [CLOSED, { whenUnknown: 'skip' }],
  ])('gets a warning with any option: %s with %j', (when, more) => {
    expect(evading(fleetOf(when, more))).not.toEqual([]);
  });

  test('gets a warning that names the first inputs in ASCII and suggests a condition', () => {
    expect(evadableRules(fleetOf("payload.country.trim().upperAscii() == 'DE'"))).toEqual([
      {
        path: 'allocation.rules[0].when',
        message:
          '"eu" does not apply to a device that sends payload.country = "", or payload.country = "DE\\u200b", or payload.country = "\\u0500\\u0415": ' +
          "compare with a closed list, as in oneOf(payload.country, ['DE', 'FR'], ['US', 'SG']). A value in neither list is unknown, and an unknown require applies",
      },
    ]);
  });

  test('gets a warning in a hub rule or a deny rule too, unless the rule says that it is not a safeguard', () => {
    const warned = (rule: object) => evadableRules(fleetWith(rule)).length > 0;
    const HUB = { hub: 'weu.azure-devices.net' };
    const DENY = { deny: 'not here' };

    for (const effect of [HUB, DENY]) {
      expect(warned({ when: IN, ...effect })).toBe(true);
      expect(warned({ when: CLOSED, ...effect })).toBe(true);
      expect(warned({ when: CLOSED, whenUnknown: 'apply', ...effect })).toBe(false);
      expect(warned({ when: CLOSED, whenUnknown: 'refuse', ...effect })).toBe(false);
      expect(warned({ when: IN, whenUnknown: 'skip', ...effect })).toBe(false);
      expect(warned({ when: "enrollment.id == 'eu'", ...effect })).toBe(false);
      // A flag that a device sets for itself, for example in a laboratory.
      expect(warned({ when: 'payload.lab', ...effect })).toBe(false);
      expect(warned({ when: 'payload.zone == 1', ...effect })).toBe(false);
      expect(warned({ when: "payload.lab && payload.country == 'DE'", ...effect })).toBe(true);
    }
    expect(warned({ when: IN, prefer: { 'weu.azure-devices.net': 2 } })).toBe(false);
  });
});

describe('a residency condition that a device cannot evade', () => {
  test.each<[string, object?]>([
    [CLOSED],
    [CLOSED, { whenUnknown: 'apply' }],
    [CLOSED, { whenUnknown: 'refuse' }],
    ["oneOf(payload.country.trim().upperAscii(), ['DE', 'FR'], ['US', 'SG'])"],
    ["oneOf(payload.country, ['DE'], ['US', 'us', 'de'])"],
    ["oneOf(payload.site.country, ['DE'], ['US'])"],
    ['oneOf(payload.zone, [1, 2], [3, 0, 5])'],
    ["!oneOf(payload.country, ['US'], ['DE'])"],
    ["oneOf(payload.a, ['x'], ['y']) && oneOf(payload.b, ['u'], ['v'])"],
    ["payload.countries.all(c, oneOf(c, ['DE'], ['US']))"],
    [`has(payload.country) ? ${CLOSED} : true`],
    [`!has(payload.country) || ${CLOSED}`],
    [`payload.country == null || ${CLOSED}`],
    [`enrollment.id == 'eu' || ${CLOSED}`],
    [`attestation.kind == 'x509' && ${CLOSED}`],
    [`registrationId.startsWith('eu-') && ${CLOSED}`],
    [`registrationId.startsWith('eu-') || ${CLOSED}`],
    [`attestation.subject.contains('C=DE') || ${CLOSED}`],
    [`payload.gdpr == true || ${CLOSED}`],
    // `de` is false, and false together with unknown is unknown.
    ["payload.country == 'DE' || oneOf(payload.country, ['FR'], ['US'])"],
    ["oneOf(payload.sites[1].country, ['DE'], ['US'])"],
    ["oneOf(payload.address.split(',')[2].trim(), ['DE'], ['US'])"],
    // All values except a few listed ones.
    ["payload.country != 'US'"],
    ["!(payload.country in ['US', 'SG'])"],
    ["!(payload.country.trim().lowerAscii() in ['us'])"],
    [`${IN} || !(payload.country in ['US', 'SG'])`],
    ["payload.site.country != 'US'"],
    // Numbers and booleans have no other spelling: a value of another kind is unknown.
    ['payload.eu'],
    ['payload.eu == true'],
    ['!payload.abroad'],
    ['payload.zone == 1'],
    ['payload.zone in [1, 2]'],
    ['payload.zone > 3'],
    // Inputs that a device cannot choose.
    ["registrationId.startsWith('eu-')"],
    ["enrollment.id == 'eu'"],
    ["attestation.subject.contains('eu')"],
    ["current.hub == 'weu.azure-devices.net'"],
    ['enrollment.initialTwin.tags.eu == true'],
    ['true'],
  ])('gets no warning: %s %j', (when, more = {}) => {
    expect(evading(fleetOf(when, more))).toEqual([]);
    expect(evadableRules(fleetOf(when, more))).toEqual([]);
  });

  test.each(['fleet.json', 'infra/fleet.production.json', 'infra/fleet.small.json'])(
    'does not occur in %s',
    (file) => {
      const parsed = parseFleet(readFileSync(file, 'utf8'));

      expect(parsed.ok && evadableRules(parsed.fleet)).toEqual([]);
    },
  );
});

describe('a rule without a warning', () => {
  test('keeps its residency for all values that a device sends, except the values listed as outside', () => {
    const parsed = parseFleet(readFileSync('fleet.json', 'utf8'));
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    const [rule] = parsed.fleet.allocation.rules;
    const country: fc.Arbitrary<JsonValue | undefined> = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<JsonValue>,
      fc.constantFrom('US', 'us', ' US', 'DE', 'de', '', undefined),
      fc.string({ unit: 'binary', maxLength: 3 }),
    );

    fc.assert(
      fc.property(country, (value) => {
        const payload = value === undefined ? {} : { country: value };
        const effect = effectOf(rule as Rule, readableFacts({ ...SILENT_DEVICE, payload }));

        expect(effect === 'none').toBe(value === 'US' || value === 'SG');
      }),
      { numRuns: 2_000 },
    );
  });

  test('is checked in a file with forty rules that read many inputs, without a try of every combination', () => {
    const codes = Array.from({ length: 60 }, (_, index) => `'C${index}'`).join(', ');
    const rules = Array.from({ length: 40 }, (_, index) => ({
      name: `r${index}`,
      when: `oneOf(payload.a${index}, [${codes}], ['x']) && (payload.b == payload.c || enrollment.id == 'y')`,
      ...REQUIRE,
    }));
    const parsed = parseFleet(JSON.stringify({ hubs: [hub('weu', 'eu')], allocation: { rules } }));
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    // All combinations of the inputs of one rule alone would take years.
    expect(evadableRules(parsed.fleet)).toEqual([]);
  });
});
