// The sections of a page as GitHub names them, for links, for the list beside a page, and for the search.

/**
 * The name of a section in an address, as GitHub makes it from a heading.
 *
 * @param {string} heading its text, without marks.
 * @param {Map<string, number>} used how often each name is used in the page; it is changed.
 */
export function sectionName(heading, used) {
  const name = heading
    .toLowerCase()
    .replace(/[^\p{Letter}\p{Number}\p{Mark} _-]/gu, '')
    .replaceAll(' ', '-');
  const before = used.get(name) ?? 0;
  used.set(name, before + 1);
  return before === 0 ? name : `${name}-${before}`;
}

/**
 * @typedef {object} Section
 * @property {string} name in an address; empty for the text before the first heading below the title.
 * @property {string} heading
 * @property {number} level 1 to 6.
 * @property {string} text without marks.
 */

/**
 * @param {readonly import('markdown-it').Token[]} tokens of a page, with the `id` of each heading.
 * @returns {readonly Section[]}
 */
export function sectionsOf(tokens) {
  const sections = [];
  tokens.forEach((token, index) => {
    if (token.type === 'heading_open') {
      const heading = plainText(tokens[index + 1]);
      sections.push({
        name: token.attrGet('id'),
        heading,
        level: Number(token.tag.slice(1)),
        text: [],
      });
    }
    const isHeading = tokens[index - 1]?.type === 'heading_open';
    if (token.type === 'inline' && !isHeading) sections.at(-1)?.text.push(plainText(token));
    if (token.type === 'fence' || token.type === 'code_block') sections.at(-1)?.text.push(token.content);
  });
  return sections.map((section) => ({
    ...section,
    text: section.text.join(' ').replace(/\s+/g, ' ').trim(),
  }));
}

/** @param {import('markdown-it').Token | undefined} inline */
export function plainText(inline) {
  return (inline?.children ?? [])
    .map(({ type, content }) => (type === 'softbreak' || type === 'hardbreak' ? ' ' : content))
    .join('');
}
