/** How `ps`, `images` and `network ls` turn rows into text: a table, JSON lines, or the user's own template. */
import { formatTable } from './table.ts';
import { type Node, parseTemplate, renderTemplate } from './template.ts';

/** One row: field name to text. Field names are docker's, so that existing templates work. */
export type Row = Readonly<Record<string, string>>;

export interface ListingShape {
  /** Heading of each field. */
  readonly headings: Row;
  /** The fields of the plain table, in order. */
  readonly columns: readonly string[];
  /** The field that `--quiet` prints. */
  readonly id: string;
}

export interface ListingOptions {
  /** `table` (the default), `table TEMPLATE`, `json`, or a template. */
  readonly format?: string | undefined;
  readonly quiet?: boolean | undefined;
}

/**
 * Prints rows in the wanted format.
 * @throws TemplateError when the template is malformed or names a field that rows do not have.
 */
export function formatListing(shape: ListingShape, rows: readonly Row[], options: ListingOptions): string {
  const format = options.format ?? '';
  if (options.quiet === true && (format === '' || format === 'table'))
    return lines(rows.map((row) => row[shape.id]!));
  if (format === '' || format === 'table') {
    const pick = (row: Row) => shape.columns.map((column) => row[column]!);
    return formatTable([shape.headings, ...rows].map(pick));
  }
  if (format === 'json') return lines(rows.map(formatJson));
  const isTable = format.startsWith('table ');
  const template = parseTemplate(unescapeFormat(isTable ? format.slice('table '.length) : format));
  // Also without any row, so that a wrong field is an error today and not when the first row comes.
  const heading = renderRow(template, shape.headings);
  const rendered = rows.map((row) => renderRow(template, row));
  if (!isTable) return lines(rendered);
  return formatTable([heading, ...rendered].map((line) => line.split('\t')));
}

/** Shells pass `\t` and `\n` on as two characters; docker reads them as what they mean. */
export function unescapeFormat(format: string): string {
  return format.replaceAll('\\t', '\t').replaceAll('\\n', '\n');
}

function renderRow(template: readonly Node[], row: Row): string {
  return renderTemplate(template, row, { strict: true });
}

function formatJson(row: Row): string {
  return JSON.stringify(Object.fromEntries(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1))));
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join('');
}
