// Markdown as HTML: GitHub's names of sections, and links that work on the site.
import MarkdownIt from 'markdown-it';
import { targetOf } from './links.mjs';
import { plainText, sectionName, sectionsOf } from './sections.mjs';

/** Only the badges of README.md are HTML. They are about the repository, so the site leaves them out. */
const BADGES = /^<a href="\.\.\/\.\.\/actions\/.*$/gm;

/**
 * @param {ReadonlyMap<string, string>} urls the addresses of the pages, by file.
 * @param {string | undefined} repository the address of the source, without a slash at the end. Undefined: links to files that
 *   the site does not hold become text.
 * @returns {(text: string, file: string) => { html: string, sections: readonly import('./sections.mjs').Section[], targets:
 *   readonly import('./links.mjs').Target[] }} renders a page. It throws at HTML, because the site does not show it.
 */
export function renderer(urls, repository) {
  const markdown = new MarkdownIt({ html: true });
  markdown.core.ruler.push('section_names', ({ tokens }) => {
    const used = new Map();
    tokens.forEach((token, index) => {
      if (token.type === 'heading_open') token.attrSet('id', sectionName(plainText(tokens[index + 1]), used));
    });
  });
  markdown.renderer.rules.html_block = markdown.renderer.rules.html_inline = noHtml;
  markdown.renderer.rules.table_open = () => '<div class="table" tabindex="0"><table>\n';
  markdown.renderer.rules.table_close = () => '</table></div>\n';
  const { fence } = markdown.renderer.rules;
  markdown.renderer.rules.fence = (...args) => fence(...args).replace('<pre>', '<pre tabindex="0">');
  return (text, file) => {
    const env = { file };
    const tokens = markdown.parse(text.replace(BADGES, ''), env);
    const targets = tokens.flatMap(({ children }) =>
      turnLinks(children ?? [], (link) => targetOf(link, file, urls), repository),
    );
    const html = markdown.renderer.render(tokens, markdown.options, env);
    return { html, sections: sectionsOf(tokens), targets };
  };
}

function noHtml(tokens, index, _options, { file }) {
  throw new Error(`${file} has HTML, which the site does not show: ${tokens[index].content.trim()}`);
}

/** Changes the links among the tokens of one paragraph, and returns where they lead. */
function turnLinks(tokens, targetOfLink, repository) {
  const targets = [];
  /** The opening tokens of the links around the present token. */
  const open = [];
  for (const token of tokens) {
    if (token.type === 'link_close') token.tag = open.pop().tag;
    const attribute = token.type === 'image' ? 'src' : token.type === 'link_open' ? 'href' : undefined;
    if (attribute === undefined) continue;
    const target = targetOfLink(token.attrGet(attribute));
    targets.push(target);
    if (target.kind === 'source' && repository === undefined) {
      token.tag = 'span';
      token.attrs = null;
    } else if (target.kind !== 'elsewhere') {
      token.attrSet(attribute, target.href ?? `${repository}/${target.file}`);
    }
    if (token.type === 'link_open') open.push(token);
  }
  return targets;
}
