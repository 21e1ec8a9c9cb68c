import type { TwinStatus } from '../../twin/snapshot/snapshot.ts';
import type { Terminal } from './terminal.ts';

type Colored = Pick<Terminal, 'hasColors'>;

/** Select Graphic Rendition of ECMA-48: on and off. */
function painted({ hasColors }: Colored, on: number, off: number, text: string): string {
  return hasColors === true && text !== '' ? `\u001b[${on}m${text}\u001b[${off}m` : text;
}

/** For titles. */
export function bold(terminal: Colored, text: string): string {
  return painted(terminal, 1, 22, text);
}

/** For what is as it should be. */
export function good(terminal: Colored, text: string): string {
  return painted(terminal, 32, 39, text);
}

/** For what is under way, or may become a problem. */
export function uncertain(terminal: Colored, text: string): string {
  return painted(terminal, 33, 39, text);
}

/** For what needs a person. */
export function bad(terminal: Colored, text: string): string {
  return painted(terminal, 31, 39, text);
}

/** A status of a twin or a property in its color. */
export function statusText(terminal: Colored, status: TwinStatus): string {
  switch (status) {
    case 'inSync':
      return good(terminal, status);
    case 'pending':
    case 'suspended':
    case 'unknown':
      return uncertain(terminal, status);
    case 'drifted':
    case 'rejected':
    case 'contested':
      return bad(terminal, status);
  }
}
