/**
 * Whether the host passes packets on, for each address family. The one switch changes others along with it, so all of
 * them are read before and put back after. Source: the kernel's Documentation/networking/ip-sysctl.rst, and
 * inet_forward_change in net/ipv4/devinet.c.
 */
import { existsSync, readdirSync } from 'node:fs';
import { isErrno, readSysctl, writeSysctl } from '@seaway/linux';

/** A kernel parameter as a path below /proc/sys, and its value. */
export type Setting = readonly [path: string, value: string];

export interface ForwardingState {
  readonly isOn: boolean;
  /** The switch itself and all that it changes along. */
  readonly settings: readonly Setting[];
}

const switches = { 4: 'net/ipv4/ip_forward', 6: 'net/ipv6/conf/all/forwarding' } as const;
/** Routers take no redirects: turning IPv4 forwarding on turns these off, and the other way round. */
const redirects = 'net/ipv4/conf/all/accept_redirects';

/** Off, with nothing to turn on, where the kernel lacks the family. */
export function forwardingState(family: 4 | 6): ForwardingState | undefined {
  if (!existsSync(`/proc/sys/net/ipv${family}`)) return undefined;
  const interfaces = readdirSync(`/proc/sys/net/ipv${family}/conf`);
  const paths = [
    switches[family],
    ...(family === 4 ? [redirects] : []),
    ...interfaces.map((name) => `net/ipv${family}/conf/${name}/forwarding`),
  ];
  const settings = [...new Set(paths)].flatMap((path): Setting[] => {
    const value = read(path);
    return value === undefined ? [] : [[path, value]];
  });
  return { isOn: read(switches[family]) === '1', settings };
}

/** undefined for an interface that has gone meanwhile. */
function read(path: string): string | undefined {
  try {
    return readSysctl(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Turns forwarding on, for all interfaces that there are and will be. */
export function turnForwardingOn(family: 4 | 6): void {
  writeSysctl(switches[family], '1');
}

/**
 * Puts back what {@link turnForwardingOn} changed, and leaves what somebody has changed since: an interface that does
 * not forward any more, or all of it.
 * @param before the settings of before the change
 * @returns whether forwarding was still on
 */
export function putForwardingBack({
  family,
  before,
}: {
  readonly family: 4 | 6;
  readonly before: readonly Setting[];
}): boolean {
  const now = forwardingState(family);
  if (!now?.isOn) return false;
  const former = new Map(before);
  const ours = (path: string) => (path === redirects ? '0' : '1');
  const wanted = now.settings.map(([path, value]): Setting => {
    // An interface that came since has what all have.
    const fallback = former.get(`net/ipv${family}/conf/default/forwarding`) ?? '0';
    return [path, value === ours(path) ? (former.get(path) ?? fallback) : value];
  });
  writeSysctl(switches[family], '0');
  for (const [path, value] of wanted) {
    const current = read(path);
    if (current !== undefined && current !== value && path !== switches[family]) writeSysctl(path, value);
  }
  return true;
}
