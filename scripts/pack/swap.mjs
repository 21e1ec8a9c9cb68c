/**
 * Replaces every occurrence of each text.
 *
 * @param {string} file for the message.
 * @param {string} text
 * @param {readonly (readonly [string, string])[]} swaps what to replace, and by what.
 * @throws {Error} if one does not occur: the file has changed, and what is made from it must change too.
 */
export function swap(file, text, swaps) {
  let result = text;
  for (const [what, instead] of swaps) {
    if (!result.includes(what)) throw new Error(`${file} no longer contains this text:\n${what}`);
    result = result.replaceAll(what, instead);
  }
  return result;
}
