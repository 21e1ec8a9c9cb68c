import { advanceRollouts, type RolloutFacts } from '../../src/control/advance.ts';
import { type Control, controlSchema } from '../../src/control/control.ts';
import { withPackage } from '../../src/control/packages.ts';
import { contentOf } from '../../src/control/rollouts.ts';
import type { Fleet, Policy } from '../../src/fleet/fleet.ts';
import { hostName } from '../../src/iot-hub/host-name.ts';
import type { ContentChoice, RolloutDevice } from '../../src/rollout/content-choice.ts';
import { NO_DEVICES, type StageCounts } from '../../src/rollout/gate.ts';
import { type EpochMs, plus } from '../../src/time/epoch-ms.ts';
import { fleetOf, T0 } from '../twin/twins.ts';

export const WEU = hostName('weu.azure-devices.net');
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

export const STAGED = {
  stages: [
    { name: 'lab', where: "tags.ring == 'lab'", atLeast: '30m' },
    { name: 'tenth', share: 0.1, atLeast: '2h' },
    { name: 'all', share: 1, over: '10h' },
  ],
  gate: { inSync: 0.9, rejected: 0.05, sample: 20, deadline: '24h' },
};

/** A deployment of fleet files one after the other, as the control row and the revisions keep it. */
export class Deployment {
  control: Control = controlSchema.parse({});
  now: EpochMs = T0;
  fleet: Fleet = fleetOf({});
  readonly #contents = new Map<string, Policy>();
  #builds = 0;

  /** Deploys a fleet file with these twins. */
  deploy(twins: object): this {
    this.fleet = fleetOf(twins);
    this.#builds += 1;
    for (const policy of this.fleet.twins.policies) this.#contents.set(policy.hash, policy);
    const build = new Date(T0 + this.#builds * 1_000).toISOString();
    this.control = stored(
      withPackage(this.control, build, this.fleet.twins.policies, this.now, this.fleet.revision),
    );
    return this;
  }

  /** Deploys one policy with this value. */
  deployValue(interval: number, rollout: object | null = STAGED, others: readonly object[] = []): this {
    const policy = { name: 'base', desired: { interval } };
    return this.deploy({ policies: [{ ...policy, ...(rollout && { rollout }) }, ...others] });
  }

  get policy(): Policy {
    const policy = this.fleet.twins.policies.find(({ name }) => name === 'base');
    if (policy === undefined) throw new Error('no policy');
    return policy;
  }

  pass(ms: number): this {
    this.now = plus(this.now, ms);
    return this;
  }

  /** What `resyncFleet` makes of these counts by stage. */
  advance(counts: Readonly<Record<string, Partial<StageCounts>>> = {}, facts: Partial<RolloutFacts> = {}) {
    const advanced = advanceRollouts(
      this.control,
      this.fleet.twins.policies,
      {
        countsOf: (_, stage) => ({ ...NO_DEVICES, ...counts[stage] }),
        countedAt: this.now,
        hosts: [WEU],
        ...facts,
      },
      this.now,
    );
    this.control = stored(advanced.control);
    return advanced.changes;
  }

  /** What a device gets. */
  choice(device: Partial<RolloutDevice> = {}): ContentChoice {
    const facts: RolloutDevice = {
      host: WEU,
      deviceId: 'pump-1',
      matches: () => false,
      timeZone: () => undefined,
      hasContent: () => false,
      wasReached: () => false,
      ...device,
    };
    return contentOf(this.control, this.policy, facts, this.#contents, this.now);
  }

  /** The value that a device gets: of its content. */
  value(device: Partial<RolloutDevice> = {}): unknown {
    const choice = this.choice(device);
    const policy = choice.kind === 'new' ? this.policy : 'policy' in choice ? choice.policy : undefined;
    const [leaf] = policy?.leaves ?? [];
    return leaf?.value.kind === 'literal' ? leaf.value.value : undefined;
  }
}

/** As it comes back from the table. */
export function stored(control: Control): Control {
  return controlSchema.parse(JSON.parse(JSON.stringify(control)));
}
