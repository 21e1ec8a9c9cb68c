// node comment.mjs FOLDER: writes the Markdown files of a folder, sorted by name, to one comment on the pull request.
// Each push updates the same comment. Environment: GITHUB_TOKEN, GITHUB_REPOSITORY, PULL_REQUEST.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { github, run } from './github.mjs';

const MARK = '<!-- berth: what would change -->';
/** GitHub accepts 65,536 characters. */
const LONGEST = 60_000;

function bodyOf(folder) {
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.md')) : [];
  const text = files
    .sort()
    .map((file) => readFileSync(join(folder, file), 'utf8'))
    .join('\n');
  const shown =
    text.length > LONGEST
      ? `${text.slice(0, LONGEST)}\n~~~~~~\n\nThe report is longer. See the log of the run.\n`
      : text || 'There is no report. See the log of the run.\n';
  return `${MARK}\n## What this would change\n\n${shown}`;
}

async function ownComment(pullRequest) {
  for (let page = 1; ; page += 1) {
    const comments = await github(`issues/${pullRequest}/comments?per_page=100&page=${page}`);
    const own = comments.find(({ body, user }) => user?.type === 'Bot' && body?.startsWith(MARK));
    if (own !== undefined || comments.length < 100) return own;
  }
}

run(async () => {
  const body = bodyOf(process.argv[2] ?? 'report');
  const pullRequest = Number(process.env.PULL_REQUEST);
  const own = await ownComment(pullRequest);
  if (own === undefined) await github(`issues/${pullRequest}/comments`, { method: 'POST', body: { body } });
  else await github(`issues/comments/${own.id}`, { method: 'PATCH', body: { body } });
});
