/** Options as Docker's users write them, on top of commander: `--rm=false`, `-e=A=1`, repeated lists. */
import { type Command, Option } from 'commander';
import { invalidArgument } from '../cli-error.ts';

const truths = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);
const falsehoods = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False']);

/** Declares an option that takes no value, and its hidden opposite so that `--flag=false` can be said. */
export function addFlag(command: Command, flags: string, description: string): void {
  const option = new Option(flags, description);
  command.addOption(option);
  command.addOption(new Option(oppositeOf(option.long!)).hideHelp());
}

/** Declares an option that may be repeated; each value is checked, and possibly rewritten, by `check`. */
export function addList(
  command: Command,
  flags: string,
  description: string,
  check: (value: string) => string = (value) => value,
): void {
  addParsedList(command, flags, description, check);
}

/** The same, with values that `read` turns into what they mean. */
export function addParsedList<T>(
  command: Command,
  flags: string,
  description: string,
  read: (value: string) => T,
): void {
  const option = new Option(flags, description);
  option.argParser<T[]>((value, previous = []) => [...previous, attempt(option, value, read)]);
  command.addOption(option);
}

/** Declares an option with one value that `read` turns into what it means. */
export function addValue<T>(
  command: Command,
  flags: string,
  description: string,
  read: (value: string) => T,
): void {
  const option = new Option(flags, description);
  option.argParser<T>((value) => attempt(option, value, read));
  command.addOption(option);
}

/** Reads a whole number. @throws Error for anything else. */
export function parseInteger(text: string): number {
  const value = Number(text);
  if (!/^[+-]?\d+$/.test(text) || !Number.isSafeInteger(value)) throw new Error('not a whole number');
  return value;
}

function attempt<T>(option: Option, value: string, read: (value: string) => T): T {
  try {
    return read(value);
  } catch (error) {
    const flag = [option.short, option.long].filter(Boolean).join(', ');
    throw invalidArgument(flag, value, (error as Error).message);
  }
}

/**
 * Rewrites the spellings that Docker's flag parser knows and commander does not: `--flag=true|false` for an option
 * without a value, and `-x=value` for one with. With `stopsAtOperand`, what follows the first operand is left alone.
 * @throws CliError for a truth value that is none.
 */
export function normalizeFlags(command: Command, argv: readonly string[], stopsAtOperand: boolean): string[] {
  const result: string[] = [];
  for (let index = 0; index < argv.length; index += 1) {
    const arg = argv[index]!;
    if (arg === '--' || (stopsAtOperand && !isOption(arg))) return [...result, ...argv.slice(index)];
    if (!isOption(arg)) {
      result.push(arg);
      continue;
    }
    const { spelt, takesNext } = arg.startsWith('--')
      ? normalizeLong(command, arg)
      : normalizeShort(command, arg);
    result.push(...spelt);
    if (takesNext && index + 1 < argv.length) {
      index += 1;
      result.push(argv[index]!);
    }
  }
  return result;
}

interface Normalized {
  readonly spelt: string[];
  /** The next argument is this option's value, whatever it looks like. */
  readonly takesNext: boolean;
}

function normalizeLong(command: Command, arg: string): Normalized {
  const equals = arg.indexOf('=');
  const name = equals < 0 ? arg : arg.slice(0, equals);
  const option = command.options.find((candidate) => candidate.long === name || candidate.short === name);
  if (option === undefined || option.required) {
    return { spelt: [arg], takesNext: equals < 0 && option !== undefined };
  }
  return { spelt: [equals < 0 ? arg : spellFlag(name, name, arg.slice(equals + 1))], takesNext: false };
}

/** Walks a cluster such as `-itu=root`: letters without a value first, then possibly one with. */
function normalizeShort(command: Command, arg: string): Normalized {
  for (let index = 1; index < arg.length; index += 1) {
    const option = command.options.find((candidate) => candidate.short === `-${arg[index]}`);
    if (option === undefined) break;
    const rest = arg.slice(index + 1);
    if (option.required) {
      const value = rest.startsWith('=') ? rest.slice(1) : rest;
      if (rest === '') return { spelt: [arg], takesNext: true };
      const flags = arg.slice(1, index);
      // The long form with "=" carries any value, also an empty one or one that starts with "-".
      return { spelt: [...(flags === '' ? [] : [`-${flags}`]), `${option.long}=${value}`], takesNext: false };
    }
    if (rest.startsWith('=')) {
      const flags = arg.slice(1, index);
      const last = spellFlag(option.long!, `-${arg[index]}`, rest.slice(1));
      return { spelt: [...(flags === '' ? [] : [`-${flags}`]), last], takesNext: false };
    }
  }
  return { spelt: [arg], takesNext: false };
}

function spellFlag(long: string, written: string, value: string): string {
  if (truths.has(value)) return long;
  if (falsehoods.has(value)) return oppositeOf(long);
  throw invalidArgument(written, value, 'neither true nor false');
}

function oppositeOf(long: string): string {
  return long.startsWith('--no-') ? `--${long.slice('--no-'.length)}` : `--no-${long.slice(2)}`;
}

function isOption(arg: string): boolean {
  return arg.length > 1 && arg.startsWith('-');
}
