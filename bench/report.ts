/**
 * Medians, tables and aims: what every benchmark prints with.
 */

/** A figure that is aimed at: at most, or at least. */
export interface Aim {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly most?: number;
  readonly least?: number;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  const lower = sorted[Math.ceil(middle) - 1] ?? Number.NaN;
  return (lower + upper) / 2;
}

/** First column to the left, figures to the right. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>(
    (known, row) => row.map((cell, index) => Math.max(cell.length, known[index] ?? 0)),
    [],
  );
  const pad = (cell: string, index: number) =>
    index === 0 ? cell.padEnd(widths[index] ?? 0) : cell.padStart((widths[index] ?? 0) + 3);
  return rows.map((row) => `  ${row.map(pad).join('')}`.trimEnd()).join('\n');
}

/** Each figure beside its aim. A missed aim is shown, not an error: timings belong to the machine, too. */
export function printAims(aims: readonly Aim[]): void {
  console.log('\nFigures and aims\n');
  const rows = aims.map(({ what, value, unit, most, least }) => {
    const figure = `${value.toFixed(unit === 'x' ? 2 : 1)} ${unit}`;
    const aim = most === undefined ? `at least ${least} ${unit}` : `at most ${most} ${unit}`;
    const reached =
      value <= (most ?? Number.POSITIVE_INFINITY) && value >= (least ?? Number.NEGATIVE_INFINITY);
    return [what, figure, aim, reached ? 'reached' : 'MISSED'];
  });
  console.log(formatTable(rows));
}
