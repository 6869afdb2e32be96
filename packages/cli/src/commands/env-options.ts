/** Environment variables from `-e` and `--env-file`. */

export type Environment = Readonly<Record<string, string | undefined>>;

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
