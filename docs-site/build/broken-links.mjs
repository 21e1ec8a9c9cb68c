// Links between pages that lead to nothing.
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/**
 * @param {string} root the root of the repository.
 * @param {readonly { file: string, targets: readonly import('./links.mjs').Target[], sections: readonly import('./sections.mjs').Section[] }[]} pages
 * @returns {readonly string[]} a sentence for each broken link.
 */
export function brokenLinks(root, pages) {
  const names = new Map(pages.map(({ file, sections }) => [file, new Set(sections.map(({ name }) => name))]));
  return pages.flatMap(({ file, targets }) =>
    targets.flatMap((target) => {
      if (target.kind === 'elsewhere') return [];
      if (!existsSync(join(root, target.file)))
        return [`${file} links to ${target.file}, which does not exist.`];
      const isMissing =
        target.kind === 'page' && target.section !== '' && !names.get(target.file)?.has(target.section);
      return isMissing
        ? [`${file} links to ${target.file}#${target.section}, which is no section there.`]
        : [];
    }),
  );
}
