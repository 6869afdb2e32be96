/** Request bodies as text: what of JSON is taken, beyond what is valid. */
import { invalid } from '@seaway/engine';

/** Go's decoder has a limit too; what is meant for Docker has less than ten levels. */
const MAX_DEPTH = 500;

/**
 * Reads a body. An empty one counts as no fields at all, so that the endpoint says which one it misses.
 * @throws invalid for what is no JSON, what is nested too deep, and texts with the character NUL: no name, path,
 *   argument or variable of a system can have one
 */
export function parseJsonText(body: string): unknown {
  if (body.trim() === '') return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch (error) {
    const detail = (error as Error).message;
    throw /after JSON/.test(detail)
      ? invalid('invalid-json', 'unexpected content after JSON')
      : invalid('invalid-json', `invalid JSON: ${detail}`);
  }
  if (isTooDeep(body)) throw invalid('invalid-json', `invalid JSON: exceeded max depth of ${MAX_DEPTH}`);
  // An even number of backslashes before it would make it a backslash and the text "u0000".
  if (/(?<!\\)(?:\\\\)*\\u0000/.test(body)) {
    throw invalid('invalid-json', 'invalid JSON: texts may not have the character NUL');
  }
  return parsed;
}

const [quote, backslash] = ['"', '\\'].map((character) => character.charCodeAt(0));
const opening: readonly number[] = ['{', '['].map((character) => character.charCodeAt(0));
const closing: readonly number[] = ['}', ']'].map((character) => character.charCodeAt(0));

/** @param text valid JSON */
function isTooDeep(text: string): boolean {
  if (text.length < 2 * MAX_DEPTH) return false;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) at = endOfText(text, at);
    else if (opening.includes(code) && ++depth > MAX_DEPTH) return true;
    else if (closing.includes(code)) depth--;
  }
  return false;
}

/** @returns where the closing quote is */
function endOfText(text: string, start: number): number {
  let at = start + 1;
  while (text.charCodeAt(at) !== quote) at += text.charCodeAt(at) === backslash ? 2 : 1;
  return at;
}
