// node last-good.mjs ENVIRONMENT: prints the commit of the last successful deployment, as `commit=SHA` for
// $GITHUB_OUTPUT. Prints nothing if there is none, or if it is the commit of this run.
import { github, run } from './github.mjs';

run(async () => {
  const environment = encodeURIComponent(process.argv[2] ?? 'production');
  // GitHub lists the newest deployment first. It records one for each job with an environment.
  const deployments = await github(`deployments?environment=${environment}&per_page=100`);
  for (const { id, sha } of deployments) {
    // The last status becomes "inactive" after the next deployment, so all statuses are read.
    const statuses = await github(`deployments/${id}/statuses?per_page=100`);
    if (!statuses.some(({ state }) => state === 'success')) continue;
    if (sha === process.env.GITHUB_SHA)
      console.error(`${sha} of this run is the last successful deployment.`);
    else console.log(`commit=${sha}`);
    return;
  }
  console.error(`The environment ${environment} has no successful deployment yet.`);
});
