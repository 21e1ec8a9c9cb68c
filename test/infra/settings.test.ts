import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { globSync } from 'tinyglobby';
import { type BicepFile, loadBicep, type ParseBicep } from './bicep.ts';

/** What only the Functions host, its extensions and its telemetry read. */
const OF_THE_HOST = [
  'AzureWebJobsStorage__blobServiceUri',
  'AzureWebJobsStorage__credential',
  'APPLICATIONINSIGHTS_CONNECTION_STRING',
  'APPLICATIONINSIGHTS_AUTHENTICATION_STRING',
  'TWIN_EVENTS__credential',
];

/** What the code reads and a deployment leaves out, and why. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  TWIN_EVENTS: 'a connection string; the identity is used',
  BERTH_STATE: 'a connection string; the identity is used',
  BERTH_STATE__accountName: 'the address of the table service is given',
  AzureWebJobsStorage: 'a connection string; the identity is used',
  AzureWebJobsStorage__accountName: 'the host needs blobs only, and its identity has no role on tables',
  AzureWebJobsStorage__tableServiceUri: 'the state has an account of its own',
  IOT_ENDPOINT: 'development only; refused unless it is loopback',
  BERTH_DPS: 'of the command',
  BERTH_DPS__hostName: 'of the command',
  BERTH_DPS__resourceId: 'of the command',
  BERTH_WEBHOOK_KEY: 'of the command',
  IDENTITY_ENDPOINT: 'set by the platform',
  WEBSITE_INSTANCE_ID: 'set by the platform',
};

/** Names of settings in code: `env.NAME`, `%NAME%`, and those that are put together from a prefix. */
function settingsRead(source: string): readonly string[] {
  const prefixes = [...source.matchAll(/for \(const prefix of \[([^\]]+)\]/g)].flatMap((match) =>
    [...(match[1] ?? '').matchAll(/'(\w+)'/g)].map((name) => name[1] ?? ''),
  );
  const suffixes = [...source.matchAll(/env\[`\$\{prefix\}(\w*)`\]|env\[prefix\]/g)].map(
    (match) => match[1] ?? '',
  );
  return [
    ...[...source.matchAll(/\benv\.(\w+)/g), ...source.matchAll(/'%(\w+)%'/g)].map((match) => match[1] ?? ''),
    ...prefixes.flatMap((prefix) => suffixes.map((suffix) => `${prefix}${suffix}`)),
  ];
}

/** The keys of the variables that a Bicep file calls `…Settings`. */
function settingsSet({ keys }: BicepFile): readonly string[] {
  return [...keys].flatMap(([variable, names]) => (variable.endsWith('Settings') ? names : []));
}

const read = new Set(globSync('src/**/*.ts').flatMap((path) => settingsRead(readFileSync(path, 'utf8'))));
let parse: ParseBicep;
let set: readonly string[];
beforeAll(async () => {
  parse = await loadBicep();
  set = settingsSet(parse(readFileSync('infra/modules/function-app.bicep', 'utf8'), 'bicep'));
});

describe('the app settings', () => {
  test('the test finds settings in the code, also where a name is put together', () => {
    expect([...read]).toEqual(
      expect.arrayContaining(['TWIN_EVENTS_NAME', 'BERTH_STATE__tableServiceUri', 'BERTH_STAMP']),
    );
    expect(
      settingsRead(
        `env.A_B; '%C%'; for (const prefix of ['D', 'E']) { env[prefix]; env[\`\${prefix}__x\`] }`,
      ),
    ).toEqual(['A_B', 'C', 'D', 'D__x', 'E', 'E__x']);
  });

  test('the test finds settings in the Bicep, also under a condition', () => {
    const text =
      'var aSettings = {\n  A: x\n  B__c: y\n}\nvar bSettings = c ? {} : { D: z }\nvar other = { E: 1 }\n';
    expect(settingsSet(parse(text, 'bicep'))).toEqual(['A', 'B__c', 'D']);
    expect(set).toEqual(expect.arrayContaining(['FLEET_FILE', 'BERTH_STAMP', 'TWIN_EVENTS_NAME']));
  });

  test('the Bicep sets every setting that the code reads, except settings that are left out for a reason', () => {
    expect([...read].filter((name) => !set.includes(name) && !(name in LEFT_OUT))).toEqual([]);
  });

  test('the code or the host reads every setting that the Bicep sets', () => {
    expect(set.filter((name) => !read.has(name) && !OF_THE_HOST.includes(name))).toEqual([]);
  });

  test('the code reads every setting that is left out for a reason, and the Bicep sets none of them', () => {
    expect(Object.keys(LEFT_OUT).filter((name) => !read.has(name) || set.includes(name))).toEqual([]);
  });
});
