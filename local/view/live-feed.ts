import { setTimeout as delay } from 'node:timers/promises';
import type { Fleet } from '../../src/fleet/fleet.ts';
import type { Cloud } from '../cloud.ts';
import { readEventStatus } from '../control-api/index.ts';
import type { DeviceNews } from '../devices/messages.ts';
import type { FaultStatus } from '../iot-hub/index.ts';
import type { FunctionHostKeys } from '../keys.ts';
import { DEVICE_RECEIPTS, FLEET_STATUS, getJson, type LocalFleetStatus } from '../once/apis.ts';
import type { DeviceProgress, FleetProgress } from '../progress.ts';
import { hubNames } from './hub-names.ts';
import type { HubLine, LiveModel } from './live-view.ts';
import { placementLine } from './placement-line.ts';
import type { PolicyLine } from './policy-lines.ts';
import { duration, within } from './text.ts';
import type { FaultLine, ShownTrouble } from './trouble-lines.ts';

export interface LiveFeedOptions {
  readonly progress: FleetProgress;
  readonly cloud: Cloud;
  readonly functionsUrl: string;
  /** The keys of the host that runs the functions. */
  readonly keys: FunctionHostKeys;
  readonly startedAt: number;
  /** The fleet file. Its hubs are shown until the first answer of Berth. */
  readonly fleet: Fleet;
  /** Milliseconds between two questions to Berth. Each runs `resyncFleet`, which takes a second of CPU. */
  readonly askEveryMs: number;
}

const PLACEMENT_LINES = 4;
const LATEST_LINES = 4;
/** Berth stores receipts once a second. A line that has no receipt after some tries stays as it is. */
const RECEIPT_AFTER_MS = 1_500;
const RECEIPT_TRIES = 3;

/** A registration takes a few seconds, and more if Berth is slow. */
const REGISTRATION_MS = 30_000;

/** A line about a device. Its text becomes more exact when Berth has stored the receipt. */
interface FeedLine {
  readonly at: number;
  readonly deviceId: string;
  text: string;
}

/**
 * Collects the data of the live view: from the local services directly, and from Berth over HTTP every few seconds.
 */
export class LiveFeed {
  readonly #options: LiveFeedOptions;
  readonly #names: ReadonlyMap<string, string>;
  /** Registrations have their own lines, because all other messages of the start would push them out. */
  readonly #placements: FeedLine[] = [];
  readonly #latest: FeedLine[] = [];
  readonly #lastReported = new Map<string, number>();
  #fleet: { readonly status: LocalFleetStatus; readonly countedAt: number } | undefined;
  #unread: number | undefined;
  #askedAt = 0;
  #asking = false;
  #sent = { messages: 0, at: 0, perSecond: 0 };

  constructor(options: LiveFeedOptions) {
    this.#options = options;
    this.#names = hubNames(options.fleet.hubs.map(({ host }) => host));
  }

  /** Adds a message of a device to the latest lines, if it is worth a line. */
  note(news: DeviceNews, { battery }: DeviceProgress): void {
    if (news.type === 'reported') this.#lastReported.set(news.deviceId, Date.now());
    const text = this.#messageOf(news, battery);
    if (text === undefined) return;
    const line: FeedLine = { at: Date.now(), deviceId: news.deviceId, text };
    if (news.type === 'registered' || news.type === 'refused') {
      add(this.#placements, line, PLACEMENT_LINES);
      void this.#explain(line);
    } else {
      add(this.#latest, line, LATEST_LINES);
    }
  }

  /** Adds a line that is not about a device, such as the answer to a key. */
  say(text: string): void {
    add(this.#latest, { at: Date.now(), deviceId: '', text }, LATEST_LINES);
  }

  /** Replaces the text of a registration by the reasons in its receipt, as long as the line is shown. */
  async #explain(line: FeedLine): Promise<void> {
    const url = `${this.#options.functionsUrl}/api/devices/${encodeURIComponent(line.deviceId)}`;
    for (let tries = 0; tries < RECEIPT_TRIES && this.#placements.includes(line); tries += 1) {
      await delay(RECEIPT_AFTER_MS, undefined, { ref: false });
      const answer = await getJson(url, DEVICE_RECEIPTS, {
        'x-functions-key': this.#options.keys.function,
      }).catch(() => undefined);
      const receipt = answer?.receipts[0];
      // DPS asks Berth shortly before the device knows its hub. An older receipt is about an earlier registration.
      if (receipt === undefined || Date.parse(receipt.at) < line.at - REGISTRATION_MS) continue;
      line.text = placementLine(receipt, this.#names);
      return;
    }
  }

  #messageOf(news: DeviceNews, battery: number | undefined): string | undefined {
    switch (news.type) {
      case 'registered':
        return `registered, its hub is ${this.#names.get(news.hub) ?? news.hub}`;
      case 'applied':
        return `battery ${battery ?? '?'} %: applied the interval ${duration(news.value)}`;
      case 'rejected':
        return `battery ${battery ?? '?'} %: rejected the interval ${duration(news.value)}`;
      case 'refused':
      case 'trouble':
        return news.message;
      default:
        return undefined;
    }
  }

  async model(processes: LiveModel['processes'], footer: LiveModel['footer']): Promise<LiveModel> {
    this.#ask();
    const { progress, cloud, startedAt } = this.#options;
    const { views } = cloud.hubs;
    const sum = (pick: (view: (typeof views)[number]) => number) =>
      views.reduce((total, view) => total + pick(view), 0);
    return {
      upMs: Date.now() - startedAt,
      devices: progress.devices.size,
      hubs: views.map((view) => ({
        name: this.#names.get(view.host) ?? view.host,
        ...this.#statusOf(view.host),
        devices: view.deviceCount,
        connected: view.connectedDevices,
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
      telemetry: { messages: this.#sent.messages, perSecond: this.#sent.perSecond },
      unread: this.#unread,
      policies: policiesOf(this.#fleet?.status),
      trouble: this.#trouble(),
      placements: this.#placements.map(lineText),
      latest: this.#latest.map(lineText),
      processes,
      footer,
    };
  }

  /** State and shares of a hub: from Berth if it has answered, otherwise from the fleet file. */
  #statusOf(host: string): Pick<HubLine, 'state' | 'wanted' | 'expected'> {
    const answered = this.#fleet?.status.hubs.find((hub) => hub.host === host);
    if (answered !== undefined) {
      const { wanted, expected, spread } = answered.share;
      const isKnown = expected !== null && spread !== null;
      return { state: answered.state, wanted, expected: isKnown ? { share: expected, spread } : undefined };
    }
    const { hubs } = this.#options.fleet;
    const { state = 'active', weight = 1 } = hubs.find((hub) => hub.host === host) ?? {};
    const wanted = weight / hubs.reduce((sum, hub) => sum + hub.weight, 0);
    return { state, wanted, expected: undefined };
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
    if (this.#asking || Date.now() - this.#askedAt < this.#options.askEveryMs) return;
    this.#asking = true;
    this.#askedAt = Date.now();
    this.#refresh()
      .catch(() => {})
      .finally(() => {
        this.#asking = false;
      });
  }

  async #refresh(): Promise<void> {
    const { cloud, functionsUrl, keys } = this.#options;
    const messages = cloud.hubs.views.reduce((total, { counters }) => total + counters.deviceTelemetry, 0);
    const now = Date.now();
    const seconds = (now - this.#sent.at) / 1_000;
    this.#sent = { messages, at: now, perSecond: (messages - this.#sent.messages) / seconds };
    this.#unread = (await readEventStatus(cloud.control)).unread;
    // The timer of `resyncFleet` counts twins once a minute. The live view runs it more often.
    await fetch(`${functionsUrl}/admin/functions/resyncFleet`, {
      method: 'POST',
      headers: { 'x-functions-key': keys.master, 'content-type': 'application/json' },
      body: '{}',
      signal: AbortSignal.timeout(5_000),
    });
    const status = await getJson(`${functionsUrl}/api/fleet`, FLEET_STATUS, {
      'x-functions-key': keys.function,
    });
    const times = status.hubs.map(({ twinsCountedAt }) => Date.parse(twinsCountedAt ?? ''));
    const countedAt = Math.min(...times);
    if (!Number.isNaN(countedAt)) this.#fleet = { status, countedAt };
  }
}

function add(lines: FeedLine[], line: FeedLine, most: number): void {
  lines.push(line);
  if (lines.length > most) lines.shift();
}

function lineText({ at, deviceId, text }: FeedLine): string {
  const time = new Date(at).toISOString().slice(11, 19);
  return within([time, deviceId, text].filter((part) => part !== '').join('  '));
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
