import type { CommandGroup } from '../shell/command-line.ts';
import { registerAdopt } from './edge-adopt.ts';
import { registerEdgeExplain } from './edge-explain.ts';
import { registerEdgeHistory } from './edge-history.ts';
import { registerEdgePlan } from './edge-plan.ts';
import { registerEdgeStatus } from './edge-status.ts';
import { registerEdgeValidate } from './edge-validate.ts';

/** `berth edge`: commands for the deployments of IoT Edge devices. */
export function registerEdge(berth: CommandGroup): void {
  const edge = berth.group(
    'edge',
    'check, plan and explain the deployments of IoT Edge devices, and show how they stand',
  );
  registerEdgeStatus(edge);
  registerEdgeExplain(edge);
  registerEdgeHistory(edge);
  registerEdgeValidate(edge);
  registerEdgePlan(edge);
  registerAdopt(edge);
}
