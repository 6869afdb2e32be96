/** What a container's process is told: its argument vector and its environment. */
import { invalid } from '../../base/errors.ts';

/** The search path that Docker sets when the image sets none. */
export const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface CommandInput {
  /** From the request. null or undefined: not given. `['']` clears the image's entrypoint. */
  readonly entrypoint?: readonly string[] | null;
  /** From the request. null, undefined or empty: not given. */
  readonly cmd?: readonly string[] | null;
  readonly imageEntrypoint?: readonly string[] | null;
  readonly imageCmd?: readonly string[] | null;
}

export interface ResolvedCommand {
  /** Entrypoint and command as the container record keeps them; null: none. */
  readonly entrypoint: readonly string[] | null;
  readonly cmd: readonly string[] | null;
  /** `entrypoint` followed by `cmd`; the first is the program. */
  readonly args: readonly string[];
}

/**
 * Joins what the request and the image say, by Docker's rules: a given entrypoint replaces the image's and makes
 * its command void, because that command was written as arguments of another program; a given command replaces
 * the image's command. Throws `invalid` when nothing is left to run.
 */
export function resolveCommand(input: CommandInput): ResolvedCommand {
  const given = input.entrypoint && input.entrypoint.length > 0 ? input.entrypoint : undefined;
  const isCleared = given?.length === 1 && given[0] === '';
  const entrypoint = isCleared ? null : orNull(given ?? input.imageEntrypoint);
  const cmd = orNull(input.cmd) ?? (given ? null : orNull(input.imageCmd));
  const args = [...(entrypoint ?? []), ...(cmd ?? [])];
  if (args.length === 0) throw invalid('no-command', 'no command specified');
  return { entrypoint, cmd, args };
}

export interface EnvInput {
  /** `NAME=value`, from the image. */
  readonly imageEnv?: readonly string[] | null;
  /** From the request: `NAME=value` sets, `NAME` alone removes. */
  readonly env?: readonly string[] | null;
  /** Home directory of the user, set as HOME unless something else sets it. */
  readonly home: string;
  /** Set as HOSTNAME; undefined leaves it unset. */
  readonly hostname?: string;
  /** With a terminal TERM is `xterm`. */
  readonly tty: boolean;
}

/**
 * The process's environment: our defaults, then the image's variables, then the request's; the later one wins and
 * keeps the place of the earlier one, so that each name occurs once.
 */
export function resolveEnv(input: EnvInput): string[] {
  const variables = new Map<string, string>();
  variables.set('PATH', defaultPath);
  if (input.hostname !== undefined) variables.set('HOSTNAME', input.hostname);
  if (input.tty) variables.set('TERM', 'xterm');
  for (const entry of [...(input.imageEnv ?? []), ...(input.env ?? [])]) {
    const equals = entry.indexOf('=');
    if (equals < 0) variables.delete(entry);
    // A name cannot be empty; Docker's clients refuse "=x", and passing it on would confuse programs.
    else if (equals > 0) variables.set(entry.slice(0, equals), entry.slice(equals + 1));
  }
  const wasHomeRemoved = (input.env ?? []).includes('HOME');
  if (!variables.has('HOME') && !wasHomeRemoved) variables.set('HOME', input.home);
  return [...variables].map(([name, value]) => `${name}=${value}`);
}

function orNull(list: readonly string[] | null | undefined): readonly string[] | null {
  return list && list.length > 0 ? list : null;
}
