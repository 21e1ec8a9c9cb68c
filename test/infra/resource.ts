import type { Resource } from './bicep.ts';

/** What is at a path of keys; undefined: nothing. */
export function at(json: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], json);
}

/** The values that resources have at a path of their properties, each once. */
export function valuesAt(resources: readonly Resource[], ...path: readonly string[]): readonly unknown[] {
  return [...new Set(resources.map(({ properties }) => at(properties, ...path)))];
}

/** The app settings of a Function App. */
export function settingsOf({ properties }: Resource): Readonly<Record<string, string>> {
  const settings = at(properties, 'siteConfig', 'appSettings') as readonly {
    readonly name: string;
    readonly value: string;
  }[];
  return Object.fromEntries(settings.map(({ name, value }) => [name, value]));
}

/** The part of a name or id after the last slash. */
export function lastPart(name: string): string {
  return name.split('/').at(-1) ?? name;
}

/** Whether a text is known only once Azure has created something. */
export function isExpression(text: string): boolean {
  return text.startsWith('[') && text.endsWith(']');
}
