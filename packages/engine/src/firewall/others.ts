/**
 * What other programs' firewalls do to the traffic of containers: an accept of ours is not final, a drop of anybody's is
 * (nft(8), verdict statements). Pure.
 *
 * Known gap: chains of iptables' legacy variant are not nf_tables', and are not seen here.
 */
import type { NftFamily, NftObject } from '@seaway/linux/nftables-json';
import { tableName } from './nft.ts';

/** A chain that drops all forwarded packets that its own rules do not accept. */
export interface DroppingChain {
  readonly family: NftFamily;
  readonly table: string;
  readonly chain: string;
}

const packetsOf: Partial<Record<NftFamily, string>> = {
  ip: 'IPv4 packets',
  ip6: 'IPv6 packets',
  inet: 'packets',
  bridge: 'packets within a network',
};

/** Those of other programs' among the host's chains. */
export function droppingChains(objects: readonly NftObject[]): DroppingChain[] {
  return objects.flatMap((object) => {
    if (!isChain(object)) return [];
    const { family, table, name, hook, policy } = object.chain;
    const isOurs = table === tableName;
    if (isOurs || hook !== 'forward' || policy !== 'drop' || !packetsOf[family]) return [];
    return [{ family, table, chain: name }];
  });
}

/** Whether another program has a chain for what leaves the host under another address: then it may need forwarding as well. */
export function translatesElsewhere(objects: readonly NftObject[]): boolean {
  return objects.some(
    (object) =>
      isChain(object) &&
      object.chain.table !== tableName &&
      object.chain.type === 'nat' &&
      object.chain.hook === 'postrouting',
  );
}

function isChain(object: NftObject): object is Extract<NftObject, { chain: unknown }> {
  return 'chain' in object;
}

/** One sentence for those who wonder why their containers reach nobody. */
export function describeDroppingChain({ family, table, chain }: DroppingChain): string {
  return (
    `chain ${chain} of the table ${family} ${table} drops forwarded ${packetsOf[family]} ` +
    'that no rule of its own accepts: those of containers too'
  );
}
