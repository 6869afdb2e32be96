/** `seaway network create`: make a network. */
import type { NetworkCreateAnswer, NetworkCreateRequest } from '../client/types.ts';
import { addFlag, addList } from './flags.ts';
import { groupBySubnet } from './network-subnets.ts';
import { checkLabel, readPairs, splitCommas } from './pairs.ts';
import type { CommandSpec } from './spec.ts';

export interface NetworkCreateOptions {
  attachable?: boolean;
  auxAddress?: string[];
  configFrom?: string;
  configOnly?: boolean;
  driver?: string;
  gateway?: string[];
  ingress?: boolean;
  internal?: boolean;
  ipRange?: string[];
  ipamDriver?: string;
  ipamOpt?: string[];
  ipv4?: boolean;
  ipv6?: boolean;
  label?: string[];
  opt?: string[];
  scope?: string;
  subnet?: string[];
}

export const spec: CommandSpec<NetworkCreateOptions> = {
  name: 'network create',
  usage: '[OPTIONS] NETWORK',
  summary: 'Make a network',
  configure(command) {
    command.argument('<NETWORK>', 'name of the new network');
    addFlag(command, '--attachable', 'kept and shown, for scripts written for Swarm');
    addList(command, '--aux-address <NAME=IP>', 'an address that containers must not get');
    command.option('--config-from <NETWORK>', 'take the settings of a network made with --config-only');
    addFlag(command, '--config-only', 'make only a set of settings for other networks');
    command.option('-d, --driver <DRIVER>', 'network driver (default: bridge)');
    addList(command, '--gateway <IP>', "the network's own address in a subnet");
    addFlag(command, '--ingress', 'a network of Swarm');
    addFlag(command, '--internal', 'no way out of this host');
    addList(command, '--ip-range <CIDR>', 'give containers addresses of this part of a subnet only');
    command.option('--ipam-driver <DRIVER>', 'driver for addresses (default: default)');
    addList(command, '--ipam-opt <NAME=VALUE>', 'option of the driver for addresses');
    addFlag(command, '--ipv4', 'IPv4 addresses (default: yes)');
    addFlag(command, '--ipv6', 'IPv6 addresses (default: no)');
    addList(command, '--label <NAME=VALUE>', 'set a label', checkLabel);
    addList(command, '-o, --opt <NAME=VALUE>', 'option of the network driver');
    command.option('--scope <SCOPE>', 'local, the only one without Swarm');
    addList(command, '--subnet <CIDR>', 'block of addresses of the network (default: a free one)');
  },
  async run(context, [name], options) {
    const body = buildNetworkRequest(name!, options);
    const answer = await context.client.json<NetworkCreateAnswer>('POST', '/networks/create', { body });
    if (answer.Warning) context.complain(`warning: ${answer.Warning}`);
    context.print(`${answer.Id}\n`);
    return 0;
  },
};

/** @throws CliError for addresses that go with no subnet */
export function buildNetworkRequest(name: string, options: NetworkCreateOptions): NetworkCreateRequest {
  const { ipv4, ipv6, configFrom } = options;
  return {
    Name: name,
    Driver: options.driver ?? 'bridge',
    Scope: options.scope ?? '',
    // Left open, the driver's options decide.
    ...(ipv4 === undefined ? {} : { EnableIPv4: ipv4 }),
    ...(ipv6 === undefined ? {} : { EnableIPv6: ipv6 }),
    IPAM: {
      Driver: options.ipamDriver ?? 'default',
      Options: readPairs(options.ipamOpt ?? []),
      Config: groupBySubnet({
        subnets: splitCommas(options.subnet),
        ranges: splitCommas(options.ipRange),
        gateways: splitCommas(options.gateway),
        auxiliary: readPairs(options.auxAddress ?? []),
      }),
    },
    Internal: options.internal === true,
    Attachable: options.attachable === true,
    Ingress: options.ingress === true,
    ConfigOnly: options.configOnly === true,
    ConfigFrom: configFrom ? { Network: configFrom } : null,
    Options: readPairs(options.opt ?? []),
    Labels: readPairs(options.label ?? []),
  };
}
