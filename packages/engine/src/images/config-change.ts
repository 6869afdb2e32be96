/**
 * `docker import --change` and `docker commit --change`: Dockerfile instructions applied to an image's configuration. Pure.
 * Only instructions that change the configuration; the syntax is that of the Dockerfile reference.
 */
import { invalid } from '../base/errors.ts';
import type { ImageConfig } from '../model/image.ts';
import { parseHealthcheck } from './healthcheck-change.ts';

/** The configuration of an image that says nothing. */
export function emptyImageConfig(): ImageConfig {
  return {
    env: [],
    cmd: null,
    entrypoint: null,
    workingDir: '',
    user: '',
    labels: {},
    exposedPorts: [],
    volumes: [],
    stopSignal: null,
    shell: null,
  };
}

type Instruction = (config: ImageConfig, text: string) => ImageConfig;

const instructions: Readonly<Record<string, Instruction>> = {
  CMD: (config, text) => ({ ...config, cmd: parseCommand(text, config) }),
  ENTRYPOINT: (config, text) => ({ ...config, entrypoint: parseCommand(text, config) }),
  ENV: (config, text) => ({
    ...config,
    env: parsePairs('ENV', text, config).reduce(
      (env, [name, value]) => setVariable(env, name, value),
      [...config.env],
    ),
  }),
  EXPOSE: (config, text) => ({
    ...config,
    exposedPorts: union(config.exposedPorts, parseList('EXPOSE', text, config).flatMap(parsePort)),
  }),
  HEALTHCHECK: (config, text) => ({ ...config, healthcheck: parseHealthcheck(text) }),
  LABEL: (config, text) => ({
    ...config,
    labels: { ...config.labels, ...Object.fromEntries(parsePairs('LABEL', text, config)) },
  }),
  ONBUILD: (config, text) => ({ ...config, onBuild: [...(config.onBuild ?? []), parseTrigger(text)] }),
  STOPSIGNAL: (config, text) => ({ ...config, stopSignal: one('STOPSIGNAL', text, config) }),
  USER: (config, text) => ({ ...config, user: one('USER', text, config) }),
  VOLUME: (config, text) => ({
    ...config,
    volumes: union(config.volumes, parseJsonList(text) ?? parseList('VOLUME', text, config)),
  }),
  WORKDIR: (config, text) => ({
    ...config,
    workingDir: resolvePath(config.workingDir || '/', one('WORKDIR', text, config)),
  }),
};

/** Applies the instructions in order; throws `invalid` for what is none or is malformed. */
export function applyChanges(config: ImageConfig, changes: readonly string[]): ImageConfig {
  return changes.reduce((current, change) => {
    const [, word = '', text = ''] = /^\s*(\S+)\s*([\s\S]*?)\s*$/.exec(change) ?? [];
    const instruction = instructions[word.toUpperCase()];
    if (!instruction) throw badChange(change, `${word.toLowerCase()} is not a valid change command`);
    return instruction(current, text);
  }, config);
}

/** The JSON form is the vector itself; anything else is a line for the shell. */
function parseCommand(text: string, config: ImageConfig): string[] | null {
  const list = parseJsonList(text);
  if (list) return list.length > 0 ? list : null;
  return [...(config.shell ?? ['/bin/sh', '-c']), text];
}

function parseJsonList(text: string): string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined;
  } catch {
    // Docker too takes broken JSON for a shell line.
    return undefined;
  }
}

/** `A=1 B="x y"`, or the old form `A everything else`. */
function parsePairs(instruction: string, text: string, config: ImageConfig): [string, string][] {
  const isOldForm = !/^(?:"[^"]*"|'[^']*'|[^\s="'])+=/.test(text);
  if (isOldForm) {
    const [, name, value] = /^(\S+)\s+([\s\S]+)$/.exec(text) ?? [];
    if (name === undefined || value === undefined) {
      throw badChange(text, `${instruction} must have two arguments`);
    }
    return [[name, splitWords(value, config, { keepBlanks: true }).join('')]];
  }
  return splitWords(text, config).map((word) => {
    const equals = word.indexOf('=');
    if (equals < 0)
      throw badChange(text, `Syntax error - can't find = in "${word}". Must be of the form: name=value`);
    if (equals === 0) throw badChange(text, `${instruction} names can not be blank`);
    return [word.slice(0, equals), word.slice(equals + 1)];
  });
}

function parseList(instruction: string, text: string, config: ImageConfig): string[] {
  const words = splitWords(text, config);
  if (words.length === 0) throw badChange(text, `${instruction} requires at least one argument`);
  return words;
}

function one(instruction: string, text: string, config: ImageConfig): string {
  if (text === '') throw badChange(text, `${instruction} requires exactly one argument`);
  return splitWords(text, config, { keepBlanks: true }).join('');
}

/** An instruction that a build runs which begins with this image. */
function parseTrigger(text: string): string {
  const word = /^\S*/.exec(text)![0].toUpperCase();
  if (word === '') throw badChange(text, 'ONBUILD requires at least one argument');
  if (word === 'ONBUILD') throw badChange(text, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (word === 'MAINTAINER' || word === 'FROM') {
    throw badChange(text, `${word} isn't allowed as an ONBUILD trigger`);
  }
  return text;
}

const MAX_PORT = 65535;
const MAX_PORT_RANGE = 4096;

/** `80`, `80/udp`, `8000-8010/tcp`. */
function parsePort(text: string): string[] {
  const [, first, last, protocol = 'tcp'] = /^(\d+)(?:-(\d+))?(?:\/(tcp|udp|sctp))?$/i.exec(text) ?? [];
  const start = Number(first);
  const end = last === undefined ? start : Number(last);
  const isValid = start >= 1 && end <= MAX_PORT && start <= end && end - start < MAX_PORT_RANGE;
  if (!isValid) throw badChange(text, `Invalid containerPort: ${text}`);
  return Array.from({ length: end - start + 1 }, (_, index) => `${start + index}/${protocol.toLowerCase()}`);
}

/**
 * Splits at blanks outside quotes, takes quotes and backslashes away, and puts in variables of the environment
 * so far: `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME:+alternative}`; not inside single quotes.
 */
function splitWords(text: string, config: ImageConfig, options: { keepBlanks?: boolean } = {}): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at]!;
    if (quote === '' && /\s/.test(char) && !options.keepBlanks) {
      if (word !== undefined) words.push(word);
      word = undefined;
      continue;
    }
    word ??= '';
    if (char === quote) quote = '';
    else if (quote === '' && (char === '"' || char === "'")) quote = char;
    else if (char === '\\' && quote !== "'" && at + 1 < text.length) {
      at += 1;
      // Inside double quotes a backslash protects only what would else be special.
      const next = text[at]!;
      word += quote === '"' && !'"$\\'.includes(next) ? `\\${next}` : next;
    } else if (char === '$' && quote !== "'") {
      const variable = /^\$(?:(\w+)|\{(\w+)(?::([-+])([^}]*))?\})/.exec(text.slice(at));
      word += variable ? expand(variable, config) : char;
      if (variable) at += variable[0].length - 1;
    } else word += char;
  }
  if (quote !== '')
    throw badChange(text, `unexpected end of statement while looking for matching ${quoteName(quote)}`);
  if (word !== undefined) words.push(word);
  return words;
}

function expand(match: RegExpExecArray, config: ImageConfig): string {
  const [, plain, braced, operator, word = ''] = match;
  const value = readVariable(config.env, plain ?? braced ?? '');
  if (operator === '-') return value === '' ? word : value;
  if (operator === '+') return value === '' ? '' : word;
  return value;
}

function quoteName(quote: string): string {
  return quote === '"' ? 'double-quote' : 'single-quote';
}

function readVariable(env: readonly string[], name: string): string {
  return env.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
}

function setVariable(env: string[], name: string, value: string): string[] {
  const index = env.findIndex((entry) => entry.startsWith(`${name}=`));
  if (index < 0) env.push(`${name}=${value}`);
  else env[index] = `${name}=${value}`;
  return env;
}

function resolvePath(base: string, path: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith('/') ? path : `${base}/${path}`).split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

function union(first: readonly string[], second: readonly string[]): string[] {
  return [...new Set([...first, ...second])];
}

function badChange(change: string, message: string): Error {
  return invalid('invalid-image-change', message, { change });
}
