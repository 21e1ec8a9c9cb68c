// node last-good.mjs ENVIRONMENT: the commit that was deployed there last with success, as `commit=SHA` for
// $GITHUB_OUTPUT. Nothing where there is none, or where it is the commit that is being deployed.
import { github, run } from './github.mjs';

run(async () => {
  const environment = encodeURIComponent(process.argv[2] ?? 'production');
  // The newest first. GitHub records one for every job with an environment.
  const deployments = await github(`deployments?environment=${environment}&per_page=100`);
  for (const { id, sha } of deployments) {
    // Its last status is "inactive" once another one followed.
    const statuses = await github(`deployments/${id}/statuses?per_page=100`);
    if (!statuses.some(({ state }) => state === 'success')) continue;
    if (sha === process.env.GITHUB_SHA) console.error(`${sha} is the last good commit itself.`);
    else console.log(`commit=${sha}`);
    return;
  }
  console.error('Nothing has been deployed there with success so far.');
});
