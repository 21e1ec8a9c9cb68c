// Checks that a deployed app answers with the new package:
//   node smoke.mjs --url https://APP --package PACKAGE.zip [--only-health] [--minutes 10]
// BERTH_EXPLAIN_KEY and BERTH_FLEET_KEY are the keys of the functions explainAllocation and fleetStatus. It repeats its
// requests until the app is ready and the new build answers, or the time is over. The requests change nothing.
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { strFromU8, unzipSync } from 'fflate';

const { values } = parseArgs({
  options: {
    url: { type: 'string' },
    package: { type: 'string' },
    'only-health': { type: 'boolean', default: false },
    minutes: { type: 'string', default: '10' },
    pause: { type: 'string', default: '5' },
  },
});
const packaged = unzipSync(readFileSync(values.package), { filter: ({ name }) => !name.startsWith('dist/') });
const read = (file) => JSON.parse(strFromU8(packaged[file]));
const { build } = read('package.json').berth;
const until = Date.now() + Number(values.minutes) * 60_000;
/** Required answers in a row. During a rollout, instances of the old package answer too. */
const IN_A_ROW = 3;

async function ask(path, key, body) {
  const response = await fetch(new URL(path, values.url), {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      ...(key === undefined ? {} : { 'x-functions-key': key }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(30_000),
  });
  const text = await response.text();
  let json;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  return { status: response.status, json };
}

/** Repeats a request until `check` returns no problem. If the time is over, the last problem is in the error. */
async function wait(what, path, key, check, inARow = 1) {
  let why = 'no request was sent';
  let good = 0;
  for (;;) {
    try {
      const answer = await ask(path, key);
      why = check(answer);
    } catch (error) {
      if (error instanceof Final) throw error;
      why = error.cause?.code ?? error.message;
    }
    good = why === undefined ? good + 1 : 0;
    if (good === inARow) return;
    if (Date.now() > until) throw new Error(`${what}: ${why ?? 'too few answers in a row'}.`);
    await delay(why === undefined ? 200 : Number(values.pause) * 1000);
  }
}

/** An error that a longer wait cannot solve. */
class Final extends Error {}

/** Status and error code of an answer. Bodies are not printed, because a proxy could have written them. */
const codeOf = ({ status, json }) => `${status} ${json?.error?.code ?? ''}`.trim();

async function smoke() {
  await wait('The app is not ready', '/api/health', undefined, (answer) =>
    answer.status === 200 && answer.json?.ready === true
      ? undefined
      : `GET /api/health answers ${codeOf(answer)}${answer.json?.ready === false ? ', its fleet file has problems' : ''}`,
  );
  if (values['only-health']) return 'The app is ready.';

  let revision;
  await wait(
    `The build ${build} does not answer`,
    '/api/fleet?top=1',
    process.env.BERTH_FLEET_KEY,
    (answer) => {
      if (answer.status !== 200) return `GET /api/fleet answers ${codeOf(answer)}`;
      const { running, newest } = answer.json.build ?? {};
      if (newest > build) {
        throw new Final(
          `A package that was built at ${newest} has run here. The package of ${build} is older, and its instances would not write to twins. Build the package again.`,
        );
      }
      revision = answer.json.revision;
      return running === build ? undefined : `the build ${running} answers GET /api/fleet`;
    },
    IN_A_ROW,
  );

  const explained = await ask('/api/explain', process.env.BERTH_EXPLAIN_KEY, {
    deviceRuntimeContext: { registrationId: 'berth-smoke-test', payload: {} },
    linkedHubs: read('fleet.json').hubs.map(({ host }) => host),
  });
  if (explained.status !== 200) throw new Error(`POST /api/explain answers ${codeOf(explained)}.`);
  const { result } = explained.json;
  if (explained.json.revision !== revision || result?.kind === undefined) {
    throw new Error('The receipt of POST /api/explain is not from the active fleet file.');
  }
  return `The build ${build} answers with the fleet file ${revision.slice(0, 12)}; a device without a payload is ${result.kind}.`;
}

smoke().then(
  (said) => console.log(said),
  (error) => {
    console.error(error.message);
    process.exitCode = 1;
  },
);
