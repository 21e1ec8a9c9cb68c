import { describe, expect, test } from '@jest/globals';
import { FUNCTION_KEYS, functionKeys } from '../../local/keys.ts';

describe('the keys that the local stack sends to the functions', () => {
  test('are the constants of the local function host by default', () => {
    expect(functionKeys({ FUNCTION_HOST_FUNCTION_KEY: '' })).toEqual(FUNCTION_KEYS);
  });

  test('are the keys of another host that checks keys, if they are set', () => {
    expect(functionKeys({ FUNCTION_HOST_FUNCTION_KEY: 'f', FUNCTION_HOST_MASTER_KEY: 'm' })).toEqual({
      function: 'f',
      master: 'm',
    });
  });
});
