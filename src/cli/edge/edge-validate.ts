import type { ErrorDetail } from '../../errors.ts';
import { parseFleetWithModels } from '../../fleet/file/models.ts';
import type { Cli } from '../shell/cli.ts';
import type { CommandGroup } from '../shell/command-line.ts';
import { chosenFleetFile, readModelsOf, readTextFile } from '../shell/files.ts';
import { FLEET_FILE, type Given, JSON_OUTPUT, toggle } from '../shell/inputs.ts';
import { indented } from '../shell/json-mode.ts';
import { plural, say, sayJson } from '../shell/terminal.ts';

const INPUTS = {
  '--fleet <file>': FLEET_FILE,
  '--strict': toggle('fail on warnings too'),
  ...JSON_OUTPUT,
};

/** `berth edge validate`: the problems and warnings of the deployments in a fleet file. */
export function registerEdgeValidate(edge: CommandGroup): void {
  edge.command({
    name: 'validate',
    description: 'check the deployments of a fleet file as the runtime of IoT Edge does',
    inputs: INPUTS,
    example: 'berth edge validate --strict',
    changes: false,
    run: validateEdge,
  });
}

async function validateEdge(
  { terminal, env }: Cli,
  { fleet, strict, json }: Given<typeof INPUTS>,
): Promise<number> {
  const file = chosenFleetFile(fleet, env);
  const parsed = parseFleetWithModels(readTextFile(file), readModelsOf(file));
  const all = parsed.ok ? [] : parsed.problems;
  const problems = all.filter(isOfEdge);
  const warnings = parsed.ok ? parsed.warnings.filter(isOfEdge) : [];
  const isFine = problems.length === 0 && (!strict || warnings.length === 0);
  const others = all.length - problems.length;
  if (json) {
    const code = problems.length === 0 ? {} : { code: 'BERTH_FLEET_INVALID' };
    sayJson(terminal, { valid: problems.length === 0, ...code, problems, warnings, otherProblems: others });
    return isFine ? 0 : 1;
  }
  for (const problem of problems) say(terminal, `problem  ${indented(line(problem), 9)}`);
  for (const warning of warnings) say(terminal, `warning  ${indented(line(warning), 9)}`);
  const edge = parsed.ok ? parsed.fleet.edge : undefined;
  say(terminal, `${file}: ${summary(problems.length, warnings.length, edge?.deployments.length)}`);
  if (others > 0)
    say(terminal, `Other parts of the file have ${plural(others, 'problem')}: run "berth validate".`);
  return isFine ? 0 : 1;
}

function summary(problems: number, warnings: number, deployments: number | undefined): string {
  if (problems > 0) return `BERTH_FLEET_INVALID: ${plural(problems, 'problem')} in edge.`;
  const warned = warnings === 0 ? '' : `; ${plural(warnings, 'warning')}`;
  if (deployments === undefined) return `no problem in edge${warned}.`;
  return `${plural(deployments, 'deployment')}, no problem${warned}.`;
}

function isOfEdge({ path }: ErrorDetail): boolean {
  return /^edge($|[.[])/.test(path);
}

function line({ path, message }: ErrorDetail): string {
  return `${path} ${message}`;
}
