/** The process that is run in a running container: what the container's own process may do, with its own command. Pure. */
import { resolveEnv } from './command.ts';
import { capabilitySets } from './oci-spec.ts';
import type { OciProcess } from './oci-types.ts';
import type { ResolvedUser } from './user.ts';

export interface ExecProcessInput {
  /** The container's first process, as its configuration has it. */
  readonly container: OciProcess;
  /** Variables that the container was given, `NAME=value`. */
  readonly containerEnv: readonly string[];
  readonly args: readonly string[];
  /** `NAME=value` sets, `NAME` alone removes. */
  readonly env: readonly string[];
  /** Empty: `/`. */
  readonly cwd: string;
  readonly terminal: boolean;
  /** The terminal's first size. */
  readonly size?: { readonly rows: number; readonly columns: number };
  readonly user: ResolvedUser;
  /** In place of those that the container may have. */
  readonly capabilities?: readonly string[];
}

/**
 * Limits, "no new privileges" and, as a rule, capabilities come from the container; the environment is made
 * anew, because HOME and TERM depend on this process's user and terminal.
 */
export function execProcess(input: ExecProcessInput): OciProcess {
  const { user, terminal, size } = input;
  const { consoleSize: _, ...container } = input.container;
  const hostname = container.env.find((entry) => entry.startsWith('HOSTNAME='))?.slice('HOSTNAME='.length);
  return {
    ...container,
    terminal,
    ...(terminal && size ? { consoleSize: { height: size.rows, width: size.columns } } : {}),
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    args: input.args,
    env: resolveEnv({
      imageEnv: input.containerEnv,
      env: input.env,
      home: user.home,
      ...(hostname === undefined ? {} : { hostname }),
      tty: terminal,
    }),
    cwd: input.cwd || '/',
    capabilities: capabilitySets(input.capabilities ?? container.capabilities.bounding, user.uid),
  };
}
