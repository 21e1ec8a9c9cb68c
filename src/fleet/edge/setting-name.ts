/** `setting:NAME` in the part `edge` of a fleet file means the value of the app setting NAME. */
const SETTING = /^setting:([A-Za-z_][A-Za-z0-9_]{0,127})$/;

/** Begins a text that should name an app setting. */
export const SETTING_PREFIX = 'setting:';

/** What to write for a setting. */
export const WRITE_A_SETTING =
  'write setting:NAME, where NAME is an app setting with letters, digits and "_"';

/** The name of the app setting that a text refers to; undefined: it refers to none. */
export function settingNamed(text: string): string | undefined {
  return SETTING.exec(text)?.[1];
}
