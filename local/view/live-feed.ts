import type { Fleet } from '../../src/fleet/fleet.ts';
import type { Cloud } from '../cloud.ts';
import { readEventStatus } from '../control-api/index.ts';
import type { DeviceNews } from '../devices/messages.ts';
import type { FaultStatus } from '../iot-hub/index.ts';
import { FUNCTION_KEYS } from '../keys.ts';
import { FLEET_STATUS, getJson, type LocalFleetStatus } from '../once/apis.ts';
import type { DeviceProgress, FleetProgress } from '../progress.ts';
import type { HubLine, LiveModel } from './live-view.ts';
import type { PolicyLine } from './policy-lines.ts';
import { duration } from './text.ts';
import type { FaultLine, ShownTrouble } from './trouble-lines.ts';

export interface LiveFeedOptions {
  readonly progress: FleetProgress;
  readonly cloud: Cloud;
  readonly functionsUrl: string;
  readonly startedAt: number;
  /** The fleet file. Its hubs are shown until the first answer of Berth. */
  readonly fleet: Fleet;
}

const ASK_EVERY_MS = 5_000;
const LATEST_LINES = 8;

/**
 * Collects the data of the live view: from the local services directly, and from Berth over HTTP every few seconds.
 */
export class LiveFeed {
  readonly #options: LiveFeedOptions;
  readonly #latest: string[] = [];
  readonly #lastReported = new Map<string, number>();
  #fleet: { readonly status: LocalFleetStatus; readonly countedAt: number } | undefined;
  #unread: number | undefined;
  #askedAt = 0;
  #asking = false;

  constructor(options: LiveFeedOptions) {
    this.#options = options;
  }

  /** Adds a message of a device to the latest lines, if it is worth a line. */
  note(news: DeviceNews, { battery }: DeviceProgress): void {
    if (news.type === 'reported') this.#lastReported.set(news.deviceId, Date.now());
    const text = messageOf(news, battery);
    if (text === undefined) return;
    this.#latest.push(`${new Date().toISOString().slice(11, 19)}  ${news.deviceId}  ${text}`);
    if (this.#latest.length > LATEST_LINES) this.#latest.shift();
  }

  async model(processes: LiveModel['processes']): Promise<LiveModel> {
    this.#ask();
    const { progress, cloud, functionsUrl, startedAt } = this.#options;
    const { views } = cloud.hubs;
    const sum = (pick: (view: (typeof views)[number]) => number) =>
      views.reduce((total, view) => total + pick(view), 0);
    return {
      upMs: Date.now() - startedAt,
      devices: progress.devices.size,
      hubs: views.map((view) => ({
        host: view.host,
        ...this.#statusOf(view.host),
        devices: view.deviceCount,
        connected: view.connectedCount,
        twinReads: view.counters.twinReads,
        twinWrites: view.counters.twinWrites,
      })),
      twins:
        this.#fleet === undefined
          ? undefined
          : { states: this.#fleet.status.twins, agoMs: Date.now() - this.#fleet.countedAt },
      corrections: sum(({ counters }) => counters.twinWrites),
      changes: sum(({ counters }) => counters.deviceTwinWrites),
      hubOps: sum(({ counters }) => counters.twinReads + counters.twinWrites + counters.queries),
      unread: this.#unread,
      policies: policiesOf(this.#fleet?.status),
      trouble: this.#trouble(),
      latest: this.#latest,
      functionsUrl,
      controlUrl: `http://127.0.0.1:${cloud.ports.control}`,
      functionKey: FUNCTION_KEYS.function,
      processes,
    };
  }

  /** State, weight and wanted share of a hub: from Berth if it has answered, otherwise from the fleet file. */
  #statusOf(host: string): Pick<HubLine, 'state' | 'weight' | 'wanted'> {
    const answered = this.#fleet?.status.hubs.find((hub) => hub.host === host);
    if (answered !== undefined) {
      return { state: answered.state, weight: answered.weight, wanted: answered.share.wanted };
    }
    const { hubs } = this.#options.fleet;
    const { state = 'active', weight = 1 } = hubs.find((hub) => hub.host === host) ?? {};
    return { state, weight, wanted: weight / hubs.reduce((sum, hub) => sum + hub.weight, 0) };
  }

  #trouble(): ShownTrouble {
    const { views } = this.#options.cloud.hubs;
    const status = this.#fleet?.status;
    return {
      ...troubleOf(status, Date.now()),
      faults: views.flatMap(({ faults }) => (faults === undefined ? [] : [faultLine(faults)])),
      hubs: views.length,
      deadLetters:
        status === undefined ? undefined : { ...status.deadLetters, onlyCounted: status.onlyCounted.events },
    };
  }

  /** Refreshes every few seconds, one refresh at a time. If it fails, the view shows the old data. */
  #ask(): void {
    if (this.#asking || Date.now() - this.#askedAt < ASK_EVERY_MS) return;
    this.#asking = true;
    this.#askedAt = Date.now();
    this.#refresh()
      .catch(() => {})
      .finally(() => {
        this.#asking = false;
      });
  }

  async #refresh(): Promise<void> {
    const { cloud, functionsUrl } = this.#options;
    this.#unread = (await readEventStatus(cloud.control)).unread;
    // The timer of `resyncFleet` counts twins once a minute. The live view runs it more often.
    await fetch(`${functionsUrl}/admin/functions/resyncFleet`, {
      method: 'POST',
      headers: { 'x-functions-key': FUNCTION_KEYS.master, 'content-type': 'application/json' },
      body: '{}',
      signal: AbortSignal.timeout(5_000),
    });
    const status = await getJson(`${functionsUrl}/api/fleet`, FLEET_STATUS, {
      'x-functions-key': FUNCTION_KEYS.function,
    });
    const times = status.hubs.map(({ twinsCountedAt }) => Date.parse(twinsCountedAt ?? ''));
    const countedAt = Math.min(...times);
    if (!Number.isNaN(countedAt)) this.#fleet = { status, countedAt };
  }
}

function policiesOf(status: LocalFleetStatus | undefined): readonly PolicyLine[] {
  return (status?.policies ?? []).map(({ pause, ...policy }) => ({
    ...policy,
    pausedBy: pause === null ? undefined : nameOf(pause.author),
  }));
}

/** Removes "(by account key)", because all local users sign in by account key. */
function nameOf(author: string): string {
  return author.replace(/ \(by account key\)$/, '');
}

/** The pauses and the untrusted hubs in Berth's answer. */
function troubleOf(
  status: LocalFleetStatus | undefined,
  now: number,
): Pick<ShownTrouble, 'pauses' | 'untrusted'> {
  if (status === undefined) return { pauses: [], untrusted: [] };
  const paused = [
    { host: undefined, pause: status.pause },
    ...status.hubs.map(({ host, pause }) => ({ host, pause })),
  ];
  return {
    pauses: paused.flatMap(({ host, pause }) =>
      pause === null
        ? []
        : [{ host, author: nameOf(pause.author), reason: pause.reason, forMs: now - Date.parse(pause.at) }],
    ),
    untrusted: status.hubs.flatMap(({ host, sync }) => {
      const untrusted = sync?.untrusted ?? null;
      return untrusted === null
        ? []
        : [{ host, why: untrusted.why, forMs: now - Date.parse(untrusted.since) }];
    }),
  };
}

function faultLine({ hub, settings, outageLeftMs, counts }: FaultStatus): FaultLine {
  return {
    host: hub,
    settings: { ...settings },
    outageLeftMs,
    happened: Object.values(counts).reduce((sum, times) => sum + times, 0),
  };
}

function messageOf(news: DeviceNews, battery: number | undefined): string | undefined {
  switch (news.type) {
    case 'registered':
      return `registered, its hub is ${news.hub}`;
    case 'applied':
      return `battery ${battery ?? '?'} %: applied the interval ${duration(news.value)}`;
    case 'rejected':
      return `battery ${battery ?? '?'} %: rejected the interval ${duration(news.value)}`;
    case 'trouble':
      return news.message;
    default:
      return undefined;
  }
}
