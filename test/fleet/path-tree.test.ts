import { expect, test } from '@jest/globals';
import { PathTree } from '../../src/fleet/file/path-tree.ts';
import { fc } from '../support/properties.ts';

const path = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 4 });
const begins = (one: readonly string[], other: readonly string[]) =>
  one.every((key, index) => key === other[index]);

test('a path tree finds the same path as a search through all paths', () => {
  fc.assert(
    fc.property(fc.array(path, { maxLength: 12 }), path, (paths, sought) => {
      const tree = new PathTree<number>();
      paths.forEach((each, index) => {
        tree.add(each, index);
      });
      const first = (is: (each: readonly string[]) => boolean) => {
        const index = paths.findIndex(is);
        return index === -1 ? undefined : index;
      };

      expect(tree.aboveOrBelow(sought)).toBe(first((each) => begins(each, sought) !== begins(sought, each)));
      expect(tree.along(sought)).toBe(first((each) => begins(each, sought) || begins(sought, each)));
    }),
    { numRuns: 2_000 },
  );
});
