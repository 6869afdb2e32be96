/** Tables as docker prints them: left-aligned columns with three spaces between, nothing drawn. */

/** Columns are never narrower than this, gap included, so that an empty one keeps its heading's place. */
const minimumColumnWidth = 10;
const gap = 3;

/** Lays out rows of cells, the first of which is usually the heading. The last cell of a row is not padded. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.slice(0, -1).entries()) {
      widths[index] = Math.max(widths[index] ?? minimumColumnWidth, displayWidth(cell) + gap);
    }
  }
  return rows.map((row) => `${formatRow(row, widths)}\n`).join('');
}

function formatRow(row: readonly string[], widths: readonly number[]): string {
  return row
    .map((cell, index) =>
      index === row.length - 1 ? cell : cell + ' '.repeat(Math.max(0, widths[index]! - displayWidth(cell))),
    )
    .join('');
}

/** Counts code points, so that an ellipsis takes one place. */
function displayWidth(text: string): number {
  return [...text].length;
}

/** Shortens text to at most `length` characters, the last of which is then an ellipsis. */
export function ellipsize(text: string, length: number): string {
  const characters = [...text];
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join('')}…`;
}

/** The short form of an id, with or without its algorithm prefix: 12 hexadecimal digits. */
export function truncateId(id: string): string {
  const colon = id.indexOf(':');
  return id.slice(colon + 1, colon + 13);
}
