/**
 * What other programs' firewalls do to the traffic of containers: an accept of ours is not final, a drop of anybody's is
 * (nft(8), verdict statements). Pure.
 *
 * Known gap: chains of iptables' legacy variant are not nf_tables', and are not seen here.
 */
import type { NftChain, NftFamily, NftObject } from '@seaway/linux/nftables-json';
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

/** Those of other programs' among the host's chains: by policy, or by the last of the rules where these are listed too. */
export function droppingChains(objects: readonly NftObject[]): DroppingChain[] {
  return objects.flatMap((object) => {
    if (!isChain(object)) return [];
    const { family, table, name, hook, policy } = object.chain;
    const isOurs = table === tableName;
    if (isOurs || hook !== 'forward' || !packetsOf[family]) return [];
    if (policy !== 'drop' && !endsWithDrop(objects, object.chain)) return [];
    return [{ family, table, chain: name }];
  });
}

/** Statements of a rule that drops every packet that comes to it. */
const unconditional = ['counter', 'log', 'drop', 'reject'];

/** Whether the last rule drops or rejects whatever has come so far, as firewalld's does in place of a policy. */
function endsWithDrop(objects: readonly NftObject[], { family, table, name }: NftChain): boolean {
  const last = objects
    .flatMap((object) => (isRule(object) ? [object.rule] : []))
    .findLast((rule) => rule.family === family && rule.table === table && rule.chain === name);
  const words = last?.expr.flatMap((statement) => Object.keys(statement)) ?? [];
  const drops = words.includes('drop') || words.includes('reject');
  return drops && words.every((word) => unconditional.includes(word));
}

function isRule(object: NftObject): object is Extract<NftObject, { rule: unknown }> {
  return 'rule' in object;
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

/**
 * All that is in the way of somebody's traffic, in sentences.
 * @param keepsOthersOut whether Seaway forwards nothing for others, because the host was no router before
 */
export function describeObstacles(objects: readonly NftObject[], keepsOthersOut: boolean): string[] {
  const theirs = droppingChains(objects).map(describeDroppingChain);
  return keepsOthersOut && translatesElsewhere(objects) ? [...theirs, keepingOut] : theirs;
}

const keepingOut =
  'chain forward of the table inet seaway drops what is forwarded for others, because Seaway has turned forwarding on, ' +
  'and another program on this host may need that: turn forwarding on for good, and start Seaway with --ip-forward=false';
