import { describe, expect, test } from '@jest/globals';
import { hashPartitionKey, partitionOfKey } from '../../../local/event-hubs/partition-key.ts';
import { fc } from '../../support/properties.ts';

describe('a partition key', () => {
  // From azure-sdk-for-net, PartitionResolverTests.cs; the SDKs of all languages and the service's gateway
  // share them.
  test.each([
    ['7', -15263],
    ['131', 30562],
    ['7149583486996073602', 12977],
    ['FWfAT', -22341],
    ['sOdeEAsyQoEuEFPGerWO', -6503],
    ['FAyAIctPeCgmiwLKbJcyswoHglHVjQdvtBowLACDNORsYvOcLddNJYDmhAVkbyLOrHTKLneMNcbgWVlasVywOByANjs', 5226],
    [
      '1XYM6!(7(lF5wq4k4m*e$Nc!1ezLJv*1YK1Y-C^*&B$O)lq^iUkG(TNzXG;Zi#z2Og*Qq0#^*k):vXh$3,C7We7%W0meJ;b3,rQCg^J;^twXgs5E$$hWKxqp',
      23950,
    ],
    [
      'E(x;RRIaQcJs*P;D&jTPau-4K04oqr:lF6Z):ERpo&;9040qyV@G1_c9mgOs-8_8/10Fwa-7b7-yP!T-!IH&968)FWuI;(^g$2fN;)HJ^^yTn:',
      -29304,
    ],
    ['!c*_!I@1^c', 15372],
    ['p4*!jioeO/z-!-;w:dh', -3104],
    ['$0cb', 26269],
    ['-4189260826195535198', 453],
  ])('the key %s is hashed as in Azure', (key, hash) => {
    expect(hashPartitionKey(key)).toBe(hash);
  });

  test('a key always selects an existing partition', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 32 }), (key, count) => {
        const partition = partitionOfKey(key, count);
        expect(Number.isInteger(partition) && partition >= 0 && partition < count).toBe(true);
      }),
    );
  });
});
