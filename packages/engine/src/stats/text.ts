/** Readers of the kernel's small text formats. Pure. */

/** A number alone in its file; 0 for anything else. */
export function number(text: string | undefined): bigint {
  const digits = text?.trim() ?? '';
  return /^\d+$/.test(digits) ? BigInt(digits) : 0n;
}

/** The same where `max` stands for no limit. */
export function limit(text: string | undefined): bigint | undefined {
  const word = text?.trim() ?? '';
  return /^\d+$/.test(word) ? BigInt(word) : undefined;
}

/** Lines of a name and a number. */
export function table(text: string | undefined): ReadonlyMap<string, bigint> {
  const rows = new Map<string, bigint>();
  for (const line of (text ?? '').split('\n')) {
    const [name, value] = line.split(' ');
    if (name && value && /^\d+$/.test(value)) rows.set(name, BigInt(value));
  }
  return rows;
}

/** The rows of a table that are wanted, with 0 for those that are not there. */
export function rowsOf(
  rows: ReadonlyMap<string, bigint>,
  names: readonly string[],
): Readonly<Record<string, bigint>> {
  return Object.fromEntries(names.map((name) => [name, rows.get(name) ?? 0n]));
}
