/** Names and values under one another, as `version` and `info` show them. */

/** A value that is undefined or empty is left out. */
export type Properties = readonly (readonly [name: string, value: string | undefined])[];

/** One ` Name:  value` line each, with the values aligned. */
export function formatProperties(properties: Properties): string {
  const shown = properties.filter(([, value]) => value !== undefined && value !== '');
  const width = Math.max(0, ...shown.map(([name]) => name.length)) + 3;
  return shown.map(([name, value]) => ` ${`${name}:`.padEnd(width)}${value}\n`).join('');
}
