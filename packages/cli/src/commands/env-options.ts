/** Environment variables from `-e` and `--env-file`. */

import { readFileSync } from 'node:fs';
import { CliError, exitCodes } from '../cli-error.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface EnvOptions {
  env?: string[];
  envFile?: string[];
}

/** Completes variables given by name alone from our own environment; those we do not have are left out. */
export function resolveEnv(variables: readonly string[], env: Environment): string[] {
  return variables.flatMap((variable) => {
    if (variable.includes('=')) return [variable];
    const value = env[variable];
    return value === undefined ? [] : [`${variable}=${value}`];
  });
}

/**
 * Reads an environment file: one `NAME=VALUE` or `NAME` per line; empty lines and those that start with `#` do not
 * count, nothing is unquoted, and white space before a name is dropped.
 * @throws Error for a line without a name or with white space in it.
 */
export function parseEnvFile(text: string, env: Environment): string[] {
  const lines = text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .map((line) => line.trimStart())
    .filter((line) => line !== '' && !line.startsWith('#'));
  for (const line of lines) {
    const name = line.split('=', 1)[0]!;
    if (name === '') throw new Error(`no variable name on line '${line}'`);
    if (/\s/.test(name)) throw new Error(`variable '${name}' contains whitespaces`);
  }
  return resolveEnv(lines, env);
}

/**
 * What `-e` and `--env-file` say together.
 * @param readFile reads an environment file
 * @throws CliError when one is missing or malformed
 */
export function readEnv(
  options: EnvOptions,
  env: Environment,
  readFile: (path: string) => string = readTextFile,
): string[] {
  const fromFiles = (options.envFile ?? []).flatMap((path) => {
    try {
      return parseEnvFile(readFile(path), env);
    } catch (cause) {
      const message = `invalid env file (${path}): ${(cause as Error).message}`;
      throw new CliError(message, { exitCode: exitCodes.daemon, cause });
    }
  });
  return [...fromFiles, ...resolveEnv(options.env ?? [], env)];
}

export function readTextFile(path: string): string {
  return readFileSync(path, 'utf8');
}

/** @throws Error for a variable without a name */
export function checkEnv(variable: string): string {
  if (variable === '' || variable.startsWith('=')) throw new Error('an environment variable needs a name');
  return variable;
}
