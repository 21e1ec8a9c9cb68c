import { describe, expect, test } from '@jest/globals';
import { nearest } from '../src/nearest.ts';

describe('the nearest known word', () => {
  test.each<[string, readonly string[], string | undefined]>([
    ['wieght', ['host', 'weight', 'tier'], 'weight'],
    ['HOST', ['host', 'hosts'], 'host'],
    ['moveWhenFasterBysM', ['moveWhenFasterByMs', 'moves'], 'moveWhenFasterByMs'],
    ['stat', ['state', 'status'], 'state'],
    ['ab', ['xy'], undefined],
    ['colour', ['weight', 'tier'], undefined],
    ['', ['a'], undefined],
    ['anything', [], undefined],
  ])('for %j among %j is %j', (word, known, expected) => {
    expect(nearest(word, known)).toBe(expected);
  });
});
