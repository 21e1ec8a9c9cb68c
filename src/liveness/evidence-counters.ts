import type { HostName } from '../iot-hub/host-name.ts';
import type { EpochMs } from '../time/epoch-ms.ts';
import { addEvidence, type LivenessEvidence, minuteOf, NO_EVIDENCE } from './evidence.ts';

/** Takes the evidence of one invocation, for its shard. */
export interface EvidenceSink {
  /** Berth has written a correction. Its event must come back. @param at the hub's time of the write. */
  wrote(host: HostName, at: EpochMs): void;
  /**
   * The event of a correction has come back.
   *
   * @param key of the twin and of the write. The same event may come several times, and counts once.
   * @param at the hub's time of the write.
   */
  echoed(host: HostName, key: string, at: EpochMs): void;
  /** A twin change event has come. @param at when the Event Hub received it. */
  changed(host: HostName, at: EpochMs): void;
  /** A heartbeat has come back. @param at the time in it. */
  beat(host: HostName, at: EpochMs): void;
}

/** Drops everything, for commands and tests without liveness. */
export const NO_EVIDENCE_SINK: EvidenceSink = {
  wrote() {},
  echoed() {},
  changed() {},
  beat() {},
};

/** The evidence of one hub in one shard. */
export interface ShardEvidence {
  readonly host: HostName;
  readonly shard: string;
  readonly evidence: LivenessEvidence;
}

/** So many echoes are remembered, so that a repeated event is not counted again. */
const REMEMBERED = 20_000;

/** The evidence that one instance has collected since it was last stored. An event costs no call to the tables. */
export class EvidenceCounters {
  readonly #now: () => EpochMs;
  #shards = new Map<string, ShardEvidence>();
  /** Keys of counted echoes, the oldest first. */
  readonly #echoes = new Set<string>();

  constructor(now: () => EpochMs) {
    this.#now = now;
  }

  /** The sink for one shard. */
  of(shard: string): EvidenceSink {
    return {
      wrote: (host, at) => this.#add(host, shard, { minutes: [{ at: minuteOf(at), written: 1, echoed: 0 }] }),
      echoed: (host, key, at) => {
        if (this.#isKnown(key)) return;
        this.#add(host, shard, { minutes: [{ at: minuteOf(at), written: 0, echoed: 1 }] });
      },
      changed: (host, at) => {
        const known = this.#shards.get(`${shard}|${host}`)?.evidence.changedAt;
        // Most events come here, and most are later than the one before.
        if (known === undefined || at > known) this.#add(host, shard, { changedAt: at, minutes: [] });
      },
      beat: (host, at) => this.#add(host, shard, { beatAt: at, minutes: [] }),
    };
  }

  /** Returns the evidence and starts again. */
  take(): readonly ShardEvidence[] {
    const taken = [...this.#shards.values()];
    this.#shards = new Map();
    return taken;
  }

  /** Gives back evidence that could not be stored. */
  putBack({ host, shard, evidence }: ShardEvidence): void {
    this.#add(host, shard, evidence);
  }

  #add(host: HostName, shard: string, evidence: LivenessEvidence): void {
    const key = `${shard}|${host}`;
    const before = this.#shards.get(key)?.evidence ?? NO_EVIDENCE;
    this.#shards.set(key, { host, shard, evidence: addEvidence(before, evidence, this.#now()) });
  }

  #isKnown(key: string): boolean {
    if (this.#echoes.has(key)) return true;
    this.#echoes.add(key);
    if (this.#echoes.size > REMEMBERED) {
      const [oldest = ''] = this.#echoes;
      this.#echoes.delete(oldest);
    }
    return false;
  }
}
