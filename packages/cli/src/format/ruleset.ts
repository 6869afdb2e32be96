/**
 * A ruleset as `nft list` prints it, laid out for reading: sets without elements on one line, elements in order and in
 * columns, each rule below its comment. It stays in the language of nft(8). Pure.
 */
import { compareNaturally } from './natural-order.ts';
import { type Paint, plain } from './paint.ts';

const INDENT = 4;

export interface RulesetLayout {
  /** Columns of the terminal. */
  readonly width: number;
  /** @default no colours */
  readonly paint?: Paint;
  /** How many elements of a set are shown before the rest is counted. @default all */
  readonly elementsShown?: number;
}

type Layout = Required<RulesetLayout>;

/** @param text of `nft list table`, any number of tables */
export function formatRuleset(text: string, options: RulesetLayout): string {
  const layout = { paint: plain, elementsShown: Infinity, ...options };
  const lines: string[] = [];
  for (const block of parseBlocks(text.split('\n'))) writeTable(block, layout, lines);
  return lines.map((line) => `${line}\n`).join('');
}

/** `HEAD { ... }`: a table, set, map or chain. */
interface Block {
  readonly head: string;
  /** Lines of its own. */
  readonly lines: string[];
  readonly elements: string[];
  readonly blocks: Block[];
}

function parseBlocks(lines: readonly string[]): Block[] {
  const root: Block = { head: '', lines: [], elements: [], blocks: [] };
  const open = [root];
  let isInElements = false;
  for (const line of lines.map((untrimmed) => untrimmed.trim())) {
    const block = open.at(-1)!;
    const elements: string | undefined = isInElements ? line : /^elements = \{ (.*)$/.exec(line)?.[1];
    if (elements !== undefined) {
      block.elements.push(...splitElements(elements.replace(/ ?\}$/, '')));
      isInElements = !elements.endsWith('}');
    } else if (/^(table|set|map|chain)\b.*\{$/.test(line)) {
      const inner: Block = { head: line.slice(0, -1).trim(), lines: [], elements: [], blocks: [] };
      block.blocks.push(inner);
      open.push(inner);
    } else if (line === '}') open.pop();
    else if (line !== '') block.lines.push(line);
  }
  return root.blocks;
}

function splitElements(text: string): string[] {
  return text.split(',').flatMap((element) => element.trim() || []);
}

function writeTable(table: Block, layout: Layout, to: string[]): void {
  const { paint } = layout;
  if (to.length > 0) to.push('');
  to.push(`${paint('bold', table.head)} {`);
  const isSmall = ({ head, lines, elements }: Block) =>
    !head.startsWith('chain') && elements.length === 0 && lines.length === 1;
  const sets = table.blocks.filter(({ head }) => !head.startsWith('chain'));
  // What is empty comes first and takes a line each.
  for (const { head, lines } of sets.filter(isSmall)) {
    to.push(indent(1, paint('dim', `${head} { ${lines[0]}; }`)));
  }
  for (const block of table.blocks.filter((one) => !isSmall(one))) {
    if (to.at(-1) !== `${paint('bold', table.head)} {`) to.push('');
    to.push(indent(1, `${paint('bold', block.head)} {`));
    writeContents(block, layout, to);
    to.push(indent(1, '}'));
  }
  to.push('}');
}

function writeContents({ lines, elements }: Block, layout: Layout, to: string[]): void {
  const { width, paint } = layout;
  const room = width - 2 * INDENT;
  for (const line of lines) {
    const [, rule = line, comment] = /^(.*) comment "(.*)"$/.exec(line) ?? [];
    if (comment !== undefined) to.push(indent(2, paint('dim', `# ${comment}`)));
    to.push(...wrap(rule, room).map((part) => indent(2, paintVerdicts(part, paint))));
  }
  if (elements.length > 0) to.push(...layElements(elements, room, layout).map((line) => indent(2, line)));
}

/** Not within `meta l4proto . th dport` and `counter packets 0 bytes 0`. */
const betweenPhrases =
  / (?<! \. |\b(?:meta|ip6?|th|ct|fib|counter|packets|bytes|map) )(?!\. |bytes |(?:accept|drop|masquerade)$)/;

/** Long rules go on in the next line, as nft reads it: after a backslash. */
function wrap(rule: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of rule.split(betweenPhrases)) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (longer.length <= width - 2 || line === '') line = longer;
    else {
      lines.push(`${line} \\`);
      line = `${' '.repeat(INDENT)}${word}`;
    }
  }
  return [...lines, line];
}

function paintVerdicts(text: string, paint: Paint): string {
  return text
    .replace(/\bdrop$/, (word) => paint('red', word))
    .replace(/\baccept$/, (word) => paint('green', word));
}

const OPENING = 'elements = { ';

/** In columns as wide as the longest. */
function layElements(elements: readonly string[], width: number, { paint, elementsShown }: Layout): string[] {
  const shown = elements.toSorted(compareNaturally).slice(0, elementsShown);
  const longest = Math.max(...shown.map(({ length }) => length)) + ', '.length;
  const perLine = Math.max(1, Math.floor((width - OPENING.length) / longest));
  const hidden = elements.length - shown.length;
  const rows = Array.from({ length: Math.ceil(shown.length / perLine) }, (_, row) =>
    shown
      .slice(row * perLine, (row + 1) * perLine)
      .map((element) => `${element}, `.padEnd(longest))
      .join(''),
  ).map((row) => row.trimEnd());
  const lines = hidden > 0 ? [...rows, paint('dim', `# and ${hidden} more`), '}'] : endWithBrace(rows);
  return lines.map((line, index) => (index === 0 ? OPENING : ' '.repeat(OPENING.length)) + line);
}

function endWithBrace(rows: readonly string[]): string[] {
  return rows.with(-1, rows.at(-1)!.replace(/,$/, ' }'));
}

function indent(level: number, text: string): string {
  return ' '.repeat(level * INDENT) + text;
}
