import { STATE_PARTS } from '../../store/export/state-parts.ts';
import { plural } from '../shell/terminal.ts';

/** What each part holds, such as `1 control row, 3 fleet files`. Empty parts are left out. @param countOf by the name of the part. */
export function partsText(countOf: (name: string) => number): string {
  const parts = STATE_PARTS.flatMap(({ name, one, many }) => {
    const number = countOf(name);
    return number === 0 ? [] : [plural(number, one, many)];
  });
  return parts.length === 0 ? 'nothing' : parts.join(', ');
}
