// Source maps for stack traces: the lines of Berth's own code. The mappings of packages, and those within a line, would be most of
// a map.

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const VALUES = new Map([...DIGITS].map((digit, value) => [digit, value]));

/**
 * A source map without the sources that are not wanted, and with one segment for each line of the others, without columns. The
 * code of unwanted sources gets segments without a source, so that it is not taken for the code before it.
 *
 * @param {string} text a source map, version 3, as esbuild writes it.
 * @param {(source: string) => boolean} isWanted
 * @param {number} linesBefore lines of the file before the first mapped one.
 */
export function ownMappings(text, isWanted, linesBefore) {
  const map = JSON.parse(text);
  const kept = map.sources.map((source) => isWanted(source));
  const places = [];
  for (const isKept of kept)
    places.push(isKept ? places.filter((place) => place !== undefined).length : undefined);
  const read = { source: 0, line: 0 };
  const written = { source: 0, line: 0 };

  const lines = map.mappings.split(';').map((line) => {
    let from = 0;
    let to = 0;
    let last;
    const segments = [];
    for (const segment of line === '' ? [] : line.split(',')) {
      const [column, source, sourceLine] = numbersOf(segment);
      from += column;
      if (source === undefined) continue;
      read.source += source;
      read.line += sourceLine;
      const place = places[read.source];
      const present = place === undefined ? 'package' : `${place} ${read.line}`;
      if (present === last || (last === undefined && place === undefined)) continue;
      last = present;
      const fields = [from - to];
      to = from;
      if (place !== undefined) {
        fields.push(place - written.source, read.line - written.line, 0);
        Object.assign(written, { source: place, line: read.line });
      }
      segments.push(fields.map(digitsOf).join(''));
    }
    return segments.join(',');
  });

  const pick = (list) => list?.filter((_, index) => kept[index]);
  return JSON.stringify({
    version: 3,
    sources: pick(map.sources),
    ...(map.sourcesContent === undefined ? {} : { sourcesContent: pick(map.sourcesContent) }),
    mappings: ';'.repeat(linesBefore) + lines.join(';'),
    names: [],
  });
}

/** The numbers of a segment, which are base-64 variable-length quantities (ECMA-426). */
function numbersOf(segment) {
  const numbers = [];
  let number = 0;
  let shift = 0;
  for (const digit of segment) {
    const value = VALUES.get(digit);
    number += (value & 31) << shift;
    shift += 5;
    if (value & 32) continue;
    numbers.push(number & 1 ? -(number >> 1) : number >> 1);
    number = 0;
    shift = 0;
  }
  return numbers;
}

function digitsOf(number) {
  let rest = number < 0 ? (-number << 1) | 1 : number << 1;
  let digits = '';
  do {
    const value = rest & 31;
    rest >>>= 5;
    digits += DIGITS[rest > 0 ? value | 32 : value];
  } while (rest > 0);
  return digits;
}
