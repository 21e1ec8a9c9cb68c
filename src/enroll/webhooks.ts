import { isSameWebhook, withoutKey } from '../dps/webhook-url.ts';
import { pathText } from '../fleet/file/problems.ts';
import { isObject, type JsonObject, type JsonValue, sameJson } from '../json/json.ts';
import type { EnrollmentsFile, WebhookFile } from './schema.ts';
import { webhookOf } from './wanted.ts';

/** The environment variable with the function key of a webhook that names no other one. */
const KEY_VARIABLE = 'BERTH_WEBHOOK_KEY';
/** The name of the key in the apps of a webhook that names no other one. The host makes the key `default`. */
const KEY_NAME = 'berth';

/** A URL that DPS calls. Each URL has its own function key, which all apps behind the URL accept. */
export interface Webhook {
  /** Without a key. */
  readonly url: string;
  /** The environment variable with the function key of this URL. */
  readonly keyFrom: string;
  /** The name of the key of the function `allocateDevice`, the same in each app. */
  readonly keyName: string;
  /** Origins of the apps that answer behind the URL, such as `https://APP.azurewebsites.net`. At least one. */
  readonly apps: readonly string[];
}

/** The environment variable with the function key of this webhook. */
export function keyVariableOf({ keyFrom }: Pick<WebhookFile, 'keyFrom'>): string {
  return keyFrom ?? KEY_VARIABLE;
}

/** The webhooks that enrollments of the file use, each URL once, in the order of the file. */
export function webhooksOf(file: EnrollmentsFile): readonly Webhook[] {
  const found = new Map<string, Webhook>();
  for (const enrollment of [...file.groups, ...file.individuals]) {
    const webhook = webhookOf(enrollment, file);
    if (webhook === undefined) continue;
    const url = withoutKey(webhook.url);
    const { keyName = KEY_NAME, apps = [url] } = webhook;
    const origins = apps.map((app) => new URL(app).origin);
    if (!found.has(url)) found.set(url, { url, keyFrom: keyVariableOf(webhook), keyName, apps: origins });
  }
  return [...found.values()];
}

/** The URL itself, and its path at each app behind it, each once. */
export function addressesOf({ url, apps }: Pick<Webhook, 'url' | 'apps'>): readonly string[] {
  const { pathname } = new URL(url);
  return [...new Set([url, ...apps.map((app) => `${app}${pathname}`)])];
}

interface Place {
  readonly webhook: JsonObject;
  readonly url: string;
  readonly path: readonly PropertyKey[];
}

interface WebhookProblem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/**
 * Checks that each URL has one key of its own. Azure makes another key in each app, and an enrollment has room for
 * one: with the key of another app, the webhook answers 401, and registrations fail. It reads raw JSON and ignores
 * values of the wrong shape.
 */
export function webhookProblems(
  top: JsonValue | undefined,
  enrollments: Readonly<Record<'groups' | 'individuals', readonly JsonObject[]>>,
): readonly WebhookProblem[] {
  const places = placesOf(top, enrollments);
  return places.flatMap((place, index) => {
    const earlier = places.slice(0, index);
    const same = earlier.find(({ url }) => isSameWebhook(url, place.url));
    if (same !== undefined) return unequal(same, place);
    return earlier.flatMap((other) => shared(other, place)).slice(0, 1);
  });
}

/** Each different webhook of enrollments with the policy `custom`, with the first place where it occurs. */
function placesOf(
  top: JsonValue | undefined,
  enrollments: Readonly<Record<'groups' | 'individuals', readonly JsonObject[]>>,
): readonly Place[] {
  const found = new Map<string, Place>();
  const add = (webhook: JsonValue | undefined, path: readonly PropertyKey[]): void => {
    if (!isObject(webhook) || typeof webhook.url !== 'string' || !URL.canParse(webhook.url)) return;
    const text = JSON.stringify([withoutKey(webhook.url), webhook]);
    if (!found.has(text)) found.set(text, { webhook, url: webhook.url, path });
  };
  const custom = (['groups', 'individuals'] as const).flatMap((collection) =>
    enrollments[collection].flatMap(({ allocationPolicy = 'custom', webhook }, index) =>
      allocationPolicy === 'custom' ? [{ webhook, path: [collection, index, 'webhook'] }] : [],
    ),
  );
  if (custom.some(({ webhook }) => webhook === undefined)) add(top, ['webhook']);
  for (const { webhook, path } of custom) add(webhook, path);
  return [...found.values()];
}

/** Two entries of one URL must describe it alike. */
function unequal(first: Place, { webhook, path }: Place): readonly WebhookProblem[] {
  return (['keyFrom', 'keyName', 'apps'] as const)
    .filter((field) => !sameJson(first.webhook[field] ?? null, webhook[field] ?? null))
    .map((field) => ({
      path: [...path, field],
      message: `is not the same as at ${pathText(first.path)}, which has the same url: one URL has one key. Write the same ${field} in both`,
    }));
}

/** Two URLs must not share a key: neither its variable, nor its name in one app. */
function shared(first: Place, { webhook, url, path }: Place): readonly WebhookProblem[] {
  const variable = ({ keyFrom }: JsonObject) => (typeof keyFrom === 'string' ? keyFrom : KEY_VARIABLE);
  const nameOf = ({ keyName }: JsonObject) => (typeof keyName === 'string' ? keyName : KEY_NAME);
  const apps = originsOf(first.webhook, first.url);
  const common = originsOf(webhook, url).find((app) => apps.includes(app));
  if (common !== undefined && nameOf(first.webhook) === nameOf(webhook)) {
    return [
      {
        path: [...path, 'keyName'],
        message: `names the same key of the same app as ${pathText(first.path)}, which has another url (without keyName, it is ${KEY_NAME}): each URL has its own key. Write another name`,
      },
    ];
  }
  if (variable(first.webhook) !== variable(webhook)) return [];
  return [
    {
      path: [...path, 'keyFrom'],
      message: `names the same variable as ${pathText(first.path)}, which has another url (without keyFrom, it is ${KEY_VARIABLE}): each URL has its own key. Write the name of another environment variable`,
    },
  ];
}

function originsOf({ apps }: JsonObject, url: string): readonly string[] {
  const addresses = Array.isArray(apps) ? apps.map(String).filter((app) => URL.canParse(app)) : [url];
  return addresses.map((address) => new URL(address).origin);
}
