/** How `--subnet`, `--ip-range`, `--gateway` and `--aux-address` belong together: each goes with the subnet around it. */
import { BlockList, isIP } from 'node:net';
import { CliError } from '../cli-error.ts';
import type { SubnetConfig } from '../client/types.ts';

export interface SubnetOptions {
  readonly subnets: readonly string[];
  readonly ranges: readonly string[];
  readonly gateways: readonly string[];
  /** By name. */
  readonly auxiliary: Readonly<Record<string, string>>;
}

/** The subnet of a request while it is put together. */
type Draft = { -readonly [Field in keyof SubnetConfig]: SubnetConfig[Field] } & { readonly Subnet: string };

interface Block {
  readonly address: string;
  readonly prefixLength: number;
}

/**
 * Sorts the options by subnet. A text that is no subnet is left to the daemon, which says so.
 * @throws CliError for what goes with no subnet, or with one that has its own already
 */
export function groupBySubnet(options: SubnetOptions): SubnetConfig[] {
  const { subnets, ranges, gateways, auxiliary } = options;
  if (subnets.length < ranges.length || subnets.length < gateways.length) {
    throw new CliError('every ip-range or gateway must have a corresponding subnet');
  }
  const drafts: Draft[] = [];
  for (const subnet of subnets) {
    if (drafts.some((other) => overlap(other.Subnet, subnet))) {
      throw new CliError('multiple overlapping subnet configuration is not supported');
    }
    drafts.push({ Subnet: subnet });
  }
  const around = (address: string, what: string) => {
    const draft = drafts.find(({ Subnet }) => containsAddress(Subnet, address));
    if (!draft) throw new CliError(`no matching subnet for ${what}`);
    return draft;
  };
  for (const range of ranges) {
    const draft = around(parseBlock(range)?.address ?? '', `range ${range}`);
    if (draft.IPRange !== undefined) {
      throw new CliError(
        `cannot configure multiple ranges (${range}, ${draft.IPRange}) on the same subnet (${draft.Subnet})`,
      );
    }
    draft.IPRange = range;
  }
  for (const gateway of gateways) {
    const draft = around(gateway, `gateway ${gateway}`);
    if (draft.Gateway !== undefined) {
      throw new CliError(
        `cannot configure multiple gateways (${gateway}, ${draft.Gateway}) for the same subnet (${draft.Subnet})`,
      );
    }
    draft.Gateway = gateway;
  }
  for (const [name, address] of Object.entries(auxiliary)) {
    const draft = around(address, `aux-address ${address}`);
    draft.AuxiliaryAddresses = { ...draft.AuxiliaryAddresses, [name]: address };
  }
  return drafts;
}

function parseBlock(text: string): Block | undefined {
  const [, address = '', length = ''] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  const bits = isIP(address) === 4 ? 32 : 128;
  return isIP(address) === 0 || Number(length) > bits ? undefined : { address, prefixLength: Number(length) };
}

function containsAddress(subnet: string, address: string): boolean {
  const block = parseBlock(subnet);
  if (!block || isIP(address) === 0 || isIP(address) !== isIP(block.address)) return false;
  const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(block.address, block.prefixLength, family);
  return list.check(address, family);
}

/** Of two blocks that have an address in common one contains the other's first address. */
function overlap(one: string, other: string): boolean {
  const [a, b] = [parseBlock(one), parseBlock(other)];
  return Boolean(a && b && (containsAddress(one, b.address) || containsAddress(other, a.address)));
}
