import { registerCompletion } from './completion/completion.ts';
import { registerConnect } from './connect/connect.ts';
import { registerDeadLetters } from './dead-letters/dead-letters.ts';
import { registerDescribe } from './describe/describe.ts';
import { registerExplain } from './devices/explain.ts';
import { registerExport } from './devices/export.ts';
import { registerEdge } from './edge/edge.ts';
import { registerEnroll } from './enrollments/enroll.ts';
import { registerValidate } from './fleet/validate.ts';
import { registerForget } from './forget/forget.ts';
import { registerGet } from './get/get.ts';
import { registerHubs } from './hubs/hubs.ts';
import { registerHub } from './hubs/override.ts';
import { registerResync } from './hubs/resync.ts';
import { registerPause } from './policies/pause.ts';
import { registerPolicies } from './policies/policies.ts';
import { registerResume } from './policies/resume.ts';
import { registerInit } from './project/init.ts';
import { registerRollouts } from './rollouts/rollouts.ts';
import { type Catalog, catalogOf } from './shell/catalog.ts';
import type { Cli } from './shell/cli.ts';
import { type Program, runProgram } from './shell/command-line.ts';
import { registerState } from './state/state.ts';
import type { Threads } from './what-if/threads.ts';
import { registerWhatIf } from './what-if/what-if.ts';

/**
 * The `berth` command: works with a fleet file and the state of a deployment. Returns the exit code.
 *
 * @param argv the arguments after `berth`.
 * @throws BerthError for every error that the operator can correct
 */
export function berth(cli: Cli, argv: readonly string[], threads: Threads): Promise<number> {
  return runProgram(cli, argv, berthProgram(threads));
}

/** The commands of `berth` without their functions, for the bundle. */
export function berthCatalog(): Catalog {
  return catalogOf(berthProgram(NO_THREADS));
}

/** For a program of which no command runs. */
const NO_THREADS: Threads = {
  number: 0,
  start: runsNothing,
  startTwins: runsNothing,
};

function runsNothing(): never {
  throw new Error('The catalog runs no command.');
}

function berthProgram(threads: Threads): Program {
  return {
    name: 'berth',
    description:
      'Berth gives every Azure IoT device its hub and keeps its twin in sync. These commands are for operators and CI.',
    epilogue:
      '\nBERTH_STATE or AzureWebJobsStorage (or either with __tableServiceUri) names the storage account of the state tables.\nBerth reads settings from the environment, then from local.settings.json.\nEvery command takes --json. Exit codes: 0 success, 1 failure.',
    // In the order of the help.
    register(commands) {
      registerGet(commands);
      registerDescribe(commands);
      registerHubs(commands);
      registerHub(commands);
      registerPolicies(commands);
      registerPause(commands);
      registerResume(commands);
      registerRollouts(commands);
      registerEdge(commands);
      registerResync(commands);
      registerDeadLetters(commands);
      registerForget(commands);
      registerState(commands);
      registerConnect(commands);
      registerEnroll(commands);
      registerValidate(commands);
      registerExplain(commands);
      registerExport(commands);
      registerWhatIf(commands, threads);
      registerInit(commands);
      registerCompletion(commands, berthCatalog);
    },
  };
}
