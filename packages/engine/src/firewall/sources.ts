/** Chosen source addresses in the firewall: maps from a network's bridge to the address that its traffic leaves under. Pure. */
import type { NftCommand, NftElement } from '@seaway/linux/nftables-json';
import type { Family } from '../base/address.ts';
import { addRule, concat, match, meta, tableName } from './nft.ts';

const sourceMaps = {
  ipv4: { name: 'source4', address: 'ipv4_addr', snat: 'ip' },
  ipv6: { name: 'source6', address: 'ipv6_addr', snat: 'ip6' },
} as const satisfies Record<Family, object>;

export const sourceMapNames: readonly string[] = Object.values(sourceMaps).map(({ name }) => name);

/** Commands in the language of nft(8) that make the maps of our table, or leave them as they are. */
export const sourceMapDefinitions: readonly string[] = Object.values(sourceMaps).map(
  ({ name, address }) => `add map inet ${tableName} ${name} { type ifname : ${address}; }`,
);

/**
 * The rule that gives outbound traffic its chosen address; what has none goes on to the next rule.
 * @param home the set of bridges that are paired with themselves, as rules refer to it
 */
export function sourceRule(family: Family, home: string): NftCommand {
  const { name, snat } = sourceMaps[family];
  return addRule('inet', 'postrouting', `${family}: to elsewhere with the address of the network's choice`, [
    match(meta('nfproto'), '==', family),
    match(concat(meta('iifname'), meta('oifname')), '!=', home),
    { snat: { family: snat, addr: { map: { key: meta('iifname'), data: `@${name}` } } } },
  ]);
}

/** Elements for one bridge: to add with the addresses that they lead to, to delete by the bridge alone. */
export function sourceElements(
  device: string,
  sources: Readonly<Partial<Record<Family, string>>>,
  purpose: 'add' | 'delete',
): NftElement[] {
  return (['ipv4', 'ipv6'] as const).flatMap((family) => {
    const address = sources[family];
    if (address === undefined) return [];
    const { name } = sourceMaps[family];
    return [
      { family: 'inet', table: tableName, name, elem: [purpose === 'add' ? [device, address] : device] },
    ];
  });
}
