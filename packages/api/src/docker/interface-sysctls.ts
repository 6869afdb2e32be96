/**
 * Kernel parameters of one interface (`net.ipv4.conf.eth0.log_martians`) that older clients give to the whole
 * container. Which network's interface becomes `eth0` is known only when the container starts, so they belong to the
 * settings of a network, in the option `com.docker.network.endpoint.sysctls`.
 */
import { type EndpointSettings, interfaceSysctlsOption, invalid } from '@seaway/engine';
import type { ApiVersion } from '../http/version.ts';

/** From this version on clients have to say themselves which network they mean. */
const NOT_MOVED_SINCE: ApiVersion = 148;

export interface MovedSysctls {
  /** Those that stay the container's own. */
  readonly sysctls: Readonly<Record<string, string>>;
  /** The main network's settings with the others. */
  readonly settings: EndpointSettings;
  readonly warnings: readonly string[];
}

/**
 * Moves what older clients mean for `eth0` to the main network; what its settings say already wins.
 * @param settings those of the main network
 * @throws invalid for any other interface, and for newer clients
 */
export function moveInterfaceSysctls(
  sysctls: Readonly<Record<string, string>>,
  settings: EndpointSettings,
  version: ApiVersion,
): MovedSysctls {
  const moved = Object.keys(sysctls).filter((name) => interfaceOf(name) !== undefined);
  if (moved.length === 0) return { sysctls, settings, warnings: [] };
  const option = interfaceSysctlsOption;
  for (const name of moved) {
    if (version >= NOT_MOVED_SINCE) {
      throw invalid(
        'sysctl-of-an-interface',
        `interface specific sysctl setting "${name}" must be supplied using driver option '${option}'`,
        { sysctl: name },
      );
    }
    if (interfaceOf(name) !== 'eth0') {
      throw invalid(
        'sysctl-of-an-interface',
        `unable to determine network endpoint for sysctl ${name}, use driver option '${option}' to set per-interface sysctls`,
        { sysctl: name },
      );
    }
  }
  const text = moved.map((name) => `${withoutInterface(name)}=${sysctls[name]}`).join(',');
  const own = settings.driverOptions[option];
  return {
    sysctls: Object.fromEntries(Object.entries(sysctls).filter(([name]) => !moved.includes(name))),
    settings: {
      ...settings,
      driverOptions: { ...settings.driverOptions, [option]: own ? `${text},${own}` : text },
    },
    warnings: [`Migrated sysctl "${moved.join(',')}" to DriverOpts{"${option}":"${text}"}.`],
  };
}

/** `eth1` of `net.ipv4.conf.eth1.forwarding`; undefined where the parameter is of no such interface. */
function interfaceOf(name: string): string | undefined {
  return /^net\.[^.]+\.[^.]+\.(eth[^.]*)\../.exec(name)?.[1];
}

function withoutInterface(name: string): string {
  return name.replace(/^(net\.[^.]+\.[^.]+\.)[^.]+/, '$1IFNAME');
}
