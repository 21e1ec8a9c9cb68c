import { describe, expect, test } from '@jest/globals';
import * as z from 'zod';
import type { ControlAnswer } from '../../local/control-api/answers.ts';
import { methodNotAllowed } from '../../local/control-api/answers.ts';
import { unknownHub, unknownRoute, unusableBody } from '../../local/control-api/usage.ts';

const FAULTS = z.strictObject({ seed: z.int(), latencyMs: z.int().min(0).max(600_000).default(0) });

/** The status, the code and the message of an error. */
function errorOf({ status, body }: ControlAnswer) {
  const { error } = body as { readonly error: { readonly code: string; readonly message: string } };
  return [status, error.code, error.message];
}

describe('a usage error of the control API', () => {
  test.each<[string, unknown, string]>([
    ['a missing field', {}, 'The faults are not valid: seed is missing: write a number.'],
    [
      'a value of another kind',
      { seed: 1, latencyMs: 'slow' },
      'The faults are not valid: latencyMs is "slow": write a number.',
    ],
    [
      'a number that is out of range',
      { seed: 1, latencyMs: -1 },
      'The faults are not valid: latencyMs is -1: write a number of at least 0.',
    ],
    [
      'a mistyped field',
      { seed: 1, latencyMS: 5 },
      'The faults are not valid: the body contains the unknown field "latencyMS": did you mean "latencyMs"? Correct the spelling or remove it.',
    ],
    [
      'two problems',
      { latencyMs: -1 },
      'The faults are not valid: seed is missing: write a number; latencyMs is -1: write a number of at least 0.',
    ],
    ['no body', undefined, 'The faults are not valid: the body is empty: write a JSON object.'],
  ])('names the field, its value and what to write, for %s', (_, body, message) => {
    const { error } = FAULTS.safeParse(body);
    if (error === undefined) throw new Error('the body can be used');

    expect(errorOf(unusableBody('The faults are', error, body, FAULTS))).toEqual([
      400,
      'BERTH_LOCAL_REQUEST_INVALID',
      message,
    ]);
  });

  test('suggests the route that is meant, and lists the routes', () => {
    expect(errorOf(unknownRoute('GET', ['hub', 'x'], ['stack', 'hubs', 'events']))).toEqual([
      404,
      'BERTH_LOCAL_NOT_FOUND',
      'Unknown route GET /hub/x. Did you mean /hubs? The routes begin with /stack, /hubs, /events.',
    ]);
  });

  test('suggests the hub that is meant, and lists the hubs', () => {
    const views = [
      { host: 'contoso-weu.azure-devices.net' },
      { host: 'contoso-neu.azure-devices.net' },
    ] as unknown as Parameters<typeof unknownHub>[1]['views'];

    expect(errorOf(unknownHub('contoso-wue.azure-devices.net', { views }))[2]).toBe(
      'Unknown hub "contoso-wue.azure-devices.net". Did you mean contoso-weu.azure-devices.net? The local hubs are contoso-weu.azure-devices.net, contoso-neu.azure-devices.net.',
    );
  });

  test('names the methods that a route has', () => {
    expect(errorOf(methodNotAllowed({ method: 'PUT', path: ['faults'] }, 'GET', 'DELETE'))).toEqual([
      405,
      'BERTH_LOCAL_REQUEST_INVALID',
      '/faults does not support PUT: use GET, DELETE.',
    ]);
  });
});
