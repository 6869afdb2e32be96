/**
 * The part of Go's text/template that people write after `--format`: fields (`{{.Name}}`), `json`, `index`, `len`,
 * `join`, `lower`, `upper`, `eq`, `ne`, `not`, pipes, `range` (also with `$key, $value :=`), `if` and `else`.
 * A template is parsed into nodes once and rendered for each object. Source: Go documentation, text/template.
 * Left out: template definitions, `with`, printf, and variables other than those of `range`.
 */

export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'print'; readonly value: Expression }
  | { readonly kind: 'if'; readonly value: Expression; readonly body: Node[]; readonly otherwise: Node[] }
  | {
      readonly kind: 'range';
      readonly value: Expression;
      readonly names: readonly string[];
      readonly body: Node[];
      readonly otherwise: Node[];
    };

export type Expression =
  | { readonly kind: 'literal'; readonly value: string | number | boolean }
  | { readonly kind: 'field'; readonly of: Expression; readonly name: string }
  | { readonly kind: 'dot' }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'call'; readonly name: FunctionName; readonly args: readonly Expression[] };

interface Scope {
  readonly dot: unknown;
  readonly variables: ReadonlyMap<string, unknown>;
  readonly strict: boolean;
}

export interface RenderOptions {
  /** Makes every missing field an error, also one in small letters. @default false */
  readonly strict?: boolean;
}

const functions = {
  json: (value: unknown) => JSON.stringify(value ?? null),
  index: (value: unknown, ...keys: unknown[]) => keys.reduce(indexInto, value),
  len: (value: unknown) => sizeOf(value),
  join: (value: unknown, separator: unknown) =>
    Array.isArray(value) ? value.map(display).join(display(separator)) : display(value),
  lower: (value: unknown) => display(value).toLowerCase(),
  upper: (value: unknown) => display(value).toUpperCase(),
  eq: (first: unknown, ...others: unknown[]) => others.some((other) => other === first),
  ne: (first: unknown, second: unknown) => first !== second,
  not: (value: unknown) => !isTruthy(value),
} as const;

type FunctionName = keyof typeof functions;

/** A template that cannot be read, or that asks an object for what it does not have. */
export class TemplateError extends Error {
  constructor(message: string) {
    super(`template: ${message}`);
    this.name = 'TemplateError';
  }
}

/** Parses a template. @throws TemplateError when it is malformed or uses what is left out. */
export function parseTemplate(text: string): Node[] {
  const parser = new Parser(splitActions(text));
  const nodes = parser.parseNodes();
  if (!parser.isAtEnd) throw new TemplateError(`unexpected {{${parser.peek()}}}`);
  return nodes;
}

/** Renders a parsed template for one object. @throws TemplateError for a field that does not exist. */
export function renderTemplate(nodes: readonly Node[], data: unknown, options: RenderOptions = {}): string {
  return renderNodes(nodes, { dot: data, variables: new Map(), strict: options.strict ?? false });
}

type Part = { readonly text: string } | { readonly action: string };

/** Cuts a template into text and actions; `{{-` and `-}}` eat the white space beside them. */
function splitActions(text: string): Part[] {
  const parts: Part[] = [];
  let rest = text;
  while (rest !== '') {
    const open = rest.indexOf('{{');
    if (open < 0) break;
    const match = /^\{\{(- )?((?:"(?:[^"\\]|\\.)*"|`[^`]*`|[^"`])*?)( -)?\}\}/.exec(rest.slice(open));
    if (match === null) throw new TemplateError('unclosed action');
    const before = rest.slice(0, open);
    parts.push({ text: match[1] === undefined ? before : before.trimEnd() });
    parts.push({ action: match[2]!.trim() });
    rest = rest.slice(open + match[0].length);
    if (match[3] !== undefined) rest = rest.trimStart();
  }
  parts.push({ text: rest });
  return parts;
}

class Parser {
  readonly #parts: readonly Part[];
  #next = 0;

  constructor(parts: readonly Part[]) {
    this.#parts = parts;
  }

  get isAtEnd(): boolean {
    return this.#next >= this.#parts.length;
  }

  /** The action that parsing stopped at. */
  peek(): string {
    const part = this.#parts[this.#next];
    return part !== undefined && 'action' in part ? part.action : '';
  }

  /** Reads nodes up to an `else` or an `end` that belongs to the caller, or the end of the template. */
  parseNodes(): Node[] {
    const nodes: Node[] = [];
    for (; !this.isAtEnd; ) {
      const part = this.#parts[this.#next]!;
      if ('text' in part) {
        if (part.text !== '') nodes.push({ kind: 'text', text: part.text });
      } else {
        const word = /^[a-z]+(?=\s|$)/.exec(part.action)?.[0];
        if (word === 'end' || word === 'else') return nodes;
        if (word === 'if' || word === 'range') {
          nodes.push(this.#parseBlock(word, part.action.slice(word.length).trim()));
          continue;
        }
        nodes.push({ kind: 'print', value: parseExpression(part.action) });
      }
      this.#next += 1;
    }
    return nodes;
  }

  #parseBlock(word: 'if' | 'range', head: string): Node {
    this.#next += 1;
    const body = this.parseNodes();
    let otherwise: Node[] = [];
    if (this.peek() === 'else') {
      this.#next += 1;
      otherwise = this.parseNodes();
    }
    if (this.peek() !== 'end') throw new TemplateError(`{{${word}}} has no {{end}}`);
    this.#next += 1;
    if (word === 'if') return { kind: 'if', value: parseExpression(head), body, otherwise };
    const declared = /^(\$\w+)(?:\s*,\s*(\$\w+))?\s*:=\s*(.*)$/s.exec(head);
    const names = declared === null ? [] : [declared[1], declared[2]].filter((name) => name !== undefined);
    return { kind: 'range', value: parseExpression(declared?.[3] ?? head), names, body, otherwise };
  }
}

const tokenPattern = /\s+|("(?:[^"\\]|\\.)*"|`[^`]*`|-?\d+(?:\.\d+)?|\$\w*|\.\w+|\.|\w+|[()|])/gy;

function parseExpression(text: string): Expression {
  const tokens: { text: string; spaced: boolean }[] = [];
  let position = 0;
  let spaced = true;
  for (const match of text.matchAll(tokenPattern)) {
    position += match[0].length;
    if (match[1] === undefined) spaced = true;
    else {
      tokens.push({ text: match[1], spaced });
      spaced = false;
    }
  }
  if (position !== text.length) throw new TemplateError(`cannot read "${text.slice(position)}"`);
  let next = 0;

  const pipeline = (): Expression => {
    let value = command([]);
    while (tokens[next]?.text === '|') {
      next += 1;
      value = command([value]);
    }
    return value;
  };

  const command = (piped: Expression[]): Expression => {
    const token = tokens[next];
    if (token === undefined) throw new TemplateError('missing value for command');
    if (!/^[a-zA-Z_]/.test(token.text) || token.text === 'true' || token.text === 'false') {
      const value = operand();
      if (piped.length > 0) throw new TemplateError('only a function can follow a |');
      return value;
    }
    next += 1;
    if (!Object.hasOwn(functions, token.text)) {
      throw new TemplateError(`"${token.text}" is not supported`);
    }
    const args: Expression[] = [];
    while (next < tokens.length && tokens[next]!.text !== ')' && tokens[next]!.text !== '|')
      args.push(operand());
    args.push(...piped);
    if (args.length === 0) throw new TemplateError(`"${token.text}" needs a value`);
    return { kind: 'call', name: token.text as FunctionName, args };
  };

  const operand = (): Expression => {
    const token = tokens[next];
    if (token === undefined) throw new TemplateError('missing value');
    next += 1;
    let value: Expression;
    if (token.text === '(') {
      value = pipeline();
      if (tokens[next]?.text !== ')') throw new TemplateError('unclosed parenthesis');
      next += 1;
    } else value = parseOperand(token.text);
    while (tokens[next]?.spaced === false && /^\.\w/.test(tokens[next]!.text)) {
      value = { kind: 'field', of: value, name: tokens[next]!.text.slice(1) };
      next += 1;
    }
    return value;
  };

  const value = pipeline();
  if (next < tokens.length) throw new TemplateError(`unexpected "${tokens[next]!.text}"`);
  return value;
}

function parseOperand(token: string): Expression {
  if (token === '.') return { kind: 'dot' };
  if (token.startsWith('.')) return { kind: 'field', of: { kind: 'dot' }, name: token.slice(1) };
  if (token.startsWith('$')) return { kind: 'variable', name: token };
  if (token.startsWith('`')) return { kind: 'literal', value: token.slice(1, -1) };
  if (token.startsWith('"')) return { kind: 'literal', value: unquote(token) };
  if (token === 'true' || token === 'false') return { kind: 'literal', value: token === 'true' };
  if (/^-?\d/.test(token)) return { kind: 'literal', value: Number(token) };
  throw new TemplateError(`unexpected "${token}"`);
}

function unquote(token: string): string {
  try {
    return JSON.parse(token) as string;
  } catch {
    throw new TemplateError(`cannot read the string ${token}`);
  }
}

function renderNodes(nodes: readonly Node[], scope: Scope): string {
  return nodes.map((node) => renderNode(node, scope)).join('');
}

function renderNode(node: Node, scope: Scope): string {
  switch (node.kind) {
    case 'text':
      return node.text;
    case 'print':
      return display(evaluate(node.value, scope));
    case 'if':
      return renderNodes(isTruthy(evaluate(node.value, scope)) ? node.body : node.otherwise, scope);
    case 'range': {
      const entries = entriesOf(evaluate(node.value, scope));
      if (entries.length === 0) return renderNodes(node.otherwise, scope);
      return entries
        .map(([key, value]) => {
          const variables = new Map(scope.variables);
          // One name takes the element, two take key and element, as in Go.
          if (node.names.length === 1) variables.set(node.names[0]!, value);
          if (node.names.length === 2) variables.set(node.names[0]!, key).set(node.names[1]!, value);
          return renderNodes(node.body, { ...scope, dot: value, variables });
        })
        .join('');
    }
  }
}

function evaluate(expression: Expression, scope: Scope): unknown {
  switch (expression.kind) {
    case 'literal':
      return expression.value;
    case 'dot':
      return scope.dot;
    case 'variable':
      if (!scope.variables.has(expression.name)) {
        throw new TemplateError(`undefined variable "${expression.name}"`);
      }
      return scope.variables.get(expression.name);
    case 'field':
      return fieldOf(evaluate(expression.of, scope), expression.name, scope.strict);
    case 'call': {
      const args = expression.args.map((arg) => evaluate(arg, scope));
      return (functions[expression.name] as (...values: unknown[]) => unknown)(...args);
    }
  }
}

function fieldOf(value: unknown, name: string, strict: boolean): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TemplateError(`cannot take field ${name} of ${value == null ? 'nothing' : display(value)}`);
  }
  if (Object.hasOwn(value, name)) return (value as Record<string, unknown>)[name];
  // The API's own fields are capitalised, so a missing one is a slip of the pen worth an error; a small letter
  // is most likely a label's or a network's name, which may well be absent.
  if (strict || /^[A-Z]/.test(name)) throw new TemplateError(`there is no field "${name}"`);
  return undefined;
}

function indexInto(value: unknown, key: unknown): unknown {
  if (Array.isArray(value)) {
    if (typeof key !== 'number' || !(key in value))
      throw new TemplateError(`index out of range: ${display(key)}`);
    return value[key];
  }
  if (typeof value === 'object' && value !== null) {
    return Object.hasOwn(value, String(key)) ? (value as Record<string, unknown>)[String(key)] : '';
  }
  if (value == null) return '';
  throw new TemplateError(`cannot index ${display(value)}`);
}

function entriesOf(value: unknown): [string | number, unknown][] {
  if (Array.isArray(value)) return [...value.entries()];
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  }
  if (value == null) return [];
  throw new TemplateError(`range cannot iterate over ${display(value)}`);
}

function sizeOf(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  return entriesOf(value).length;
}

function isTruthy(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return entriesOf(value).length > 0;
  return Boolean(value);
}

/** Prints a value as Go does: `[a b]` for lists, `map[k:v]` with sorted keys for objects. */
function display(value: unknown): string {
  if (value === null || value === undefined) return '<no value>';
  if (Array.isArray(value)) return `[${value.map(display).join(' ')}]`;
  if (typeof value === 'object') {
    return `map[${entriesOf(value)
      .map(([key, item]) => `${key}:${display(item)}`)
      .join(' ')}]`;
  }
  return String(value);
}
