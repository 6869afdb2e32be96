/** `seaway network connect`: bring a container to a network. */
import { CliError } from '../cli-error.ts';
import { segment } from '../client/http-client.ts';
import type { NetworkConnectRequest } from '../client/types.ts';
import { addList, addValue, parseInteger } from './flags.ts';
import { readPairs, splitCommas } from './pairs.ts';
import type { CommandSpec } from './spec.ts';

export interface NetworkConnectOptions {
  alias?: string[];
  driverOpt?: string[];
  gwPriority?: number;
  ip?: string;
  ip6?: string;
  link?: string[];
  linkLocalIp?: string[];
}

export const spec: CommandSpec<NetworkConnectOptions> = {
  name: 'network connect',
  usage: '[OPTIONS] NETWORK CONTAINER',
  summary: 'Bring a container to a network',
  configure(command) {
    command.argument('<NETWORK>', 'name or id').argument('<CONTAINER>', 'name or id');
    addList(command, '--alias <NAME>', 'another name of the container on the network');
    addList(command, '--driver-opt <NAME=VALUE>', "option of the container's place on the network");
    addValue(
      command,
      '--gw-priority <NUMBER>',
      'the network with the highest one is the way out (default: 0)',
      parseInteger,
    );
    command.option('--ip <IP>', 'IPv4 address (default: a free one)');
    command.option('--ip6 <IP>', 'IPv6 address (default: a free one)');
    addList(command, '--link <CONTAINER[:ALIAS]>', 'a name by which this container finds another', checkLink);
    addList(command, '--link-local-ip <IP>', 'a link-local address');
  },
  async run(context, [network, container], options) {
    const body = buildConnectRequest(container!, options);
    await context.client.text('POST', `/networks/${segment(network!)}/connect`, { body });
    return 0;
  },
};

/** @throws CliError for a driver option that is no pair */
export function buildConnectRequest(
  container: string,
  options: NetworkConnectOptions,
): NetworkConnectRequest {
  const { ip, ip6, linkLocalIp } = options;
  const driverOptions = splitCommas(options.driverOpt);
  if (driverOptions.some((option) => !option.includes('='))) {
    throw new CliError('invalid key/value pair format in driver options');
  }
  return {
    Container: container,
    EndpointConfig: {
      IPAMConfig: {
        ...(ip ? { IPv4Address: ip } : {}),
        ...(ip6 ? { IPv6Address: ip6 } : {}),
        ...(linkLocalIp ? { LinkLocalIPs: splitCommas(linkLocalIp) } : {}),
      },
      Links: options.link ?? [],
      Aliases: splitCommas(options.alias),
      DriverOpts: readPairs(driverOptions),
      GwPriority: options.gwPriority ?? 0,
    },
  };
}

export function checkLink(link: string): string {
  if (!/^[^:]+(:[^:]+)?$/.test(link)) throw new Error(`bad format for links: ${link}`);
  return link;
}
