import { execFileSync } from 'node:child_process';

/**
 * The author of the last commit of a folder, as git writes it. Authors may not approve their own rollouts.
 *
 * @param {string} folder
 * @returns {string} empty if the folder is no git clone, or has no commit.
 */
export function commitAuthor(folder) {
  try {
    const options = { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] };
    return execFileSync('git', ['log', '-1', '--format=%an <%ae>'], options).trim();
  } catch {
    return '';
  }
}
