/** Options of an endpoint: its interface's name inside the container, and kernel parameters of that interface. Pure. */
import { invalid } from '../base/errors.ts';
import { type InterfaceSysctl, isInterfaceName } from './network.ts';

/** Names the interface inside the sandbox; wins over the network's prefix. */
export const interfaceNameOption = 'com.docker.network.endpoint.ifname';
/** Comma-separated `net.ipv4.conf.IFNAME.log_martians=1`, where IFNAME stands for the interface's name. */
export const interfaceSysctlsOption = 'com.docker.network.endpoint.sysctls';

const placeholder = 'IFNAME';

/** @throws invalid naming the parameter that does not belong to an interface */
export function parseInterfaceSysctls(text: string): InterfaceSysctl[] {
  return text
    .split(',')
    .filter((entry) => entry !== '')
    .map((entry) => {
      // The docker client writes options of `--network` in lower case.
      const match = /^net[./](ipv4|ipv6|mpls)[./]([\w-]+)[./](?:IFNAME|ifname)[./]([\w-]+)=(.*)$/.exec(entry);
      if (!match) throw unknownSysctl(entry);
      const [, family = '', group = '', name = '', value = ''] = match;
      return [['net', family, group, placeholder, name], value];
    });
}

/** The path of a parameter for the interface's real name. */
export function sysctlPath([path]: InterfaceSysctl, interfaceName: string): string[] {
  return path.map((part) => (part === placeholder ? interfaceName : part));
}

function unknownSysctl(entry: string) {
  return invalid(
    'invalid-interface-sysctl',
    `unrecognised network interface sysctl '${entry}'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'`,
    { sysctl: entry },
  );
}

/** @returns what is wrong with the options, in words */
export function endpointOptionProblems(options: Readonly<Record<string, string>>): string[] {
  const problems: string[] = [];
  const name = options[interfaceNameOption];
  if (name !== undefined && (!isInterfaceName(name) || name === 'lo')) {
    problems.push(`invalid interface name: ${name}`);
  }
  try {
    parseInterfaceSysctls(options[interfaceSysctlsOption] ?? '');
  } catch (error) {
    problems.push((error as Error).message);
  }
  return problems;
}
