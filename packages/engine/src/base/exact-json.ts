/** Numbers of JSON that JavaScript's own cannot hold, such as the largest of 64 bits. */

interface RawJson {
  rawJSON(text: string): unknown;
}

/** A number that is written as these digits. */
export function exactNumber(digits: string): number {
  return (JSON as unknown as RawJson).rawJSON(digits) as number;
}

/** Like JSON.parse; numbers that would not be written again as they were read are kept as {@link exactNumber}s. */
export function parseExactJson(text: string): unknown {
  const keepExact = (_key: string, value: unknown, { source = '' }: { source?: string } = {}) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(source)
      ? exactNumber(source)
      : value;
  return JSON.parse(text, keepExact as never);
}
