import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, jest, test } from '@jest/globals';
import * as z from 'zod';
import { openApiDocument } from '../../src/api/open-api.ts';
import { devicesQuery, queueQuery, readQuery, seriesQuery } from '../../src/api/queries.ts';
import { ROUTES } from '../../src/api/routes.ts';

interface Registered {
  readonly methods: readonly string[];
  readonly authLevel: string;
  readonly route: string;
}

const registered = new Map<string, Registered>();
jest.mock('@azure/functions', () => ({
  app: {
    http: (name: string, options: Registered) => void registered.set(name, options),
    timer: () => {},
    eventHub: () => {},
    hook: { appStart: () => {}, appTerminate: () => {} },
  },
  trigger: { eventHub: () => ({}) },
}));
beforeAll(async () => {
  await import('../../src/main.ts');
});

const documentSchema = z.object({
  openapi: z.literal('3.1.0'),
  paths: z.record(z.string(), z.record(z.string(), z.looseObject({ operationId: z.string() }))),
  components: z.object({ schemas: z.record(z.string(), z.unknown()) }),
});

describe('the contract of the HTTP functions', () => {
  test('lists each function that the app registers, with its method, route and access, and no other', () => {
    const listed = ROUTES.map(({ name, method, route, auth }) => [
      name,
      { methods: [method], authLevel: auth, route },
    ]);

    const found = [...registered].map(([name, { methods, authLevel, route }]) => [
      name,
      { methods, authLevel, route },
    ]);
    expect(new Map(found as [string, unknown][])).toEqual(new Map(listed as [string, unknown][]));
  });

  test('is what schemas/openapi.json holds: else run npm run schema', () => {
    const written: unknown = JSON.parse(readFileSync('schemas/openapi.json', 'utf8'));

    expect(written).toEqual(JSON.parse(JSON.stringify(openApiDocument())));
  });

  test('has an operation for each function, and refers only to schemas that the document has', () => {
    const text = JSON.stringify(openApiDocument());
    const { paths, components } = documentSchema.parse(JSON.parse(text));

    const operations = Object.values(paths).flatMap((path) => Object.values(path));
    expect(operations.map(({ operationId }) => operationId).sort()).toEqual([...registered.keys()].sort());
    const references = [...text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name);
    expect(references.length).toBeGreaterThan(20);
    expect(references.filter((name) => !Object.hasOwn(components.schemas, name ?? ''))).toEqual([]);
  });
});

describe('the queries of the HTTP functions', () => {
  test('have the defaults that the document says', () => {
    expect(readQuery(queueQuery, new URLSearchParams())).toEqual({ top: 100 });
    expect(readQuery(seriesQuery, new URLSearchParams())).toEqual({ step: 'minute' });
  });

  test('read a time as milliseconds, and leave other parameters such as the function key alone', () => {
    const query = new URLSearchParams('from=2026-11-23T12:00Z&step=hour&code=KEY');

    expect(readQuery(seriesQuery, query)).toEqual({ step: 'hour', from: Date.parse('2026-11-23T12:00Z') });
  });

  test.each([
    [devicesQuery, 'top=0', 'top is "0": give a whole number from 1 to 1000.'],
    [devicesQuery, 'top=1001', 'top is "1001": give a whole number from 1 to 1000.'],
    [devicesQuery, 'top=1.5', 'top is "1.5": give a whole number from 1 to 1000.'],
    [devicesQuery, 'top=many', 'top is "many": give a whole number from 1 to 1000.'],
    [queueQuery, 'top=201', 'top is "201": give a whole number from 1 to 200.'],
    [devicesQuery, 'after=', 'after is "": give what `next` of the page before had, or leave it out.'],
    [
      devicesQuery,
      'status=fine',
      'status is "fine": write one of inSync, pending, drifted, rejected, contested, suspended, unknown, notInSync.',
    ],
    [seriesQuery, 'step=day', 'step is "day": write minute or hour.'],
    [
      seriesQuery,
      'from=yesterday',
      'from is "yesterday": write a time such as 2026-11-30T18:00Z, or a date.',
    ],
    [seriesQuery, 'to=2026-13-01', 'to is "2026-13-01": write a time such as 2026-11-30T18:00Z, or a date.'],
    [
      seriesQuery,
      'to=2026-11-30T18:00',
      'to is "2026-11-30T18:00": write a time such as 2026-11-30T18:00Z, or a date.',
    ],
  ])('refuse %# with the value and what to write', (schema: z.ZodType, query, message) => {
    expect(() => readQuery(schema, new URLSearchParams(query))).toThrow(
      expect.objectContaining({ code: 'BERTH_REQUEST_INVALID', message }),
    );
  });
});

describe('docs/http-api.md', () => {
  const page = readFileSync('docs/http-api.md', 'utf8');

  test.each(ROUTES.map((route) => [`${route.method} /api/${route.route}`, route] as const))(
    'has a section for %s with its parameters, and says whether it needs a key',
    (title, { query, auth }) => {
      const [, section = ''] = page.split(`\n## ${title}\n`);
      const own = section.split('\n## ')[0] ?? '';
      const names = Object.keys(query.shape).filter((name) => !own.includes(`| \`${name}\` |`));

      expect(own).not.toBe('');
      // The history of a device has the parameter of the device.
      expect(title.endsWith('/history') ? [] : names).toEqual([]);
      expect(page).toContain(`| \`${title}\` | ${auth === 'function' ? 'yes' : 'no'} |`);
    },
  );
});
