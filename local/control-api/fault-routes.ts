import * as z from 'zod';
import { EDGE_FAULTS } from '../edge/faults.ts';
import { type FaultSettings, type HubView, type IotHubs, ROUTE_FAULTS } from '../iot-hub/index.ts';
import { type ControlAnswer, methodNotAllowed, ok } from './answers.ts';
import type { EventFeed } from './event-feed.ts';
import type { ControlRequest } from './request.ts';
import { unknownHub, unusableBody } from './usage.ts';

/** No client waits longer than this. */
const MAX_LATENCY_MS = 10 * 60_000;
const MAX_OUTAGE_MS = 24 * 3_600_000;

const rate = z.number().min(0).max(1).default(0);

const SETTINGS = z.strictObject({
  seed: z.int(),
  /** Absent: all hubs. */
  hub: z.string().optional(),
  latencyMs: z.int().min(0).max(MAX_LATENCY_MS).default(0),
  errorRate: rate,
  throttleRate: rate,
  timeoutRate: rate,
  duplicateRate: rate,
  replayRate: rate,
  coalesceRate: rate,
  dropRate: rate,
  notificationDropRate: rate,
  route: z.enum(ROUTE_FAULTS).optional(),
  edge: EDGE_FAULTS.optional(),
  outageMs: z.int().min(0).max(MAX_OUTAGE_MS).optional(),
  failover: z.boolean().default(false),
}) satisfies z.ZodType<FaultSettings>;

/** `/faults`: sets, shows and ends the faults of one hub or of all. */
export function faultRoute(
  request: ControlRequest,
  hubs: IotHubs,
  feed: Pick<EventFeed, 'takeFaults'>,
): ControlAnswer {
  const { method, query, body } = request;
  switch (method) {
    case 'GET':
      return ok(activeFaults(hubs.views));
    case 'PUT':
      return setFaults(body, hubs, feed);
    case 'DELETE':
      return onHubs(hubs, query.get('hub') ?? undefined, (views) => {
        for (const view of views) view.clearFaults();
        feed.takeFaults(query.get('hub') ?? undefined, undefined);
        return { status: 204, body: undefined };
      });
    default:
      return methodNotAllowed(request, 'GET', 'PUT', 'DELETE');
  }
}

function setFaults(body: unknown, hubs: IotHubs, feed: Pick<EventFeed, 'takeFaults'>): ControlAnswer {
  const parsed = SETTINGS.safeParse(body);
  if (!parsed.success) {
    return unusableBody('The faults are', parsed.error, body, SETTINGS);
  }
  const { hub, ...settings } = parsed.data;
  return onHubs(hubs, hub, (views) => {
    for (const view of views) view.setFaults(settings);
    feed.takeFaults(hub, settings);
    return ok(activeFaults(views));
  });
}

function onHubs(
  hubs: IotHubs,
  host: string | undefined,
  act: (views: readonly HubView[]) => ControlAnswer,
): ControlAnswer {
  if (host === undefined) return act(hubs.views);
  const view = hubs.view(host);
  if (view === undefined) return unknownHub(host, hubs);
  return act([view]);
}

function activeFaults(views: readonly HubView[]): unknown[] {
  return views.flatMap(({ faults }) => {
    if (faults === undefined) return [];
    const { hub, settings, ...status } = faults;
    return [{ hub, ...settings, ...status }];
  });
}
