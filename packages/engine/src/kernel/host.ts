/** The host's own state beside its links: the firewall, and which boot this is. */
import {
  isErrno,
  type NftChain,
  type NftCommand,
  type NftObject,
  readSysctl,
  writeSysctl,
} from '@seaway/linux';
import { parseLocalPortRange, parseReservedPorts } from '../publishing/port-allocator.ts';
import { generation, nftables } from './sockets.ts';

export function applyFirewall(commands: readonly NftCommand[]): void {
  noteOwnChange(() => nftables().apply(commands));
}

/** The ruleset's generation after our last change, and whether others have changed it before that. */
let knownGeneration: number | undefined;
let wasDisturbed = false;

function noteOwnChange(change: () => void): void {
  const before = generation().read();
  if (knownGeneration !== undefined && before !== knownGeneration) wasDisturbed = true;
  try {
    change();
  } finally {
    knownGeneration = generation().read();
    // One of ours raises it by one.
    if (knownGeneration > before + 1) wasDisturbed = true;
  }
}

/** Whether somebody else has changed any rules of the host since this was asked last. */
export function isRulesetDisturbed(): boolean {
  const current = generation().read();
  const isDisturbed = wasDisturbed || (knownGeneration !== undefined && current !== knownGeneration);
  knownGeneration = current;
  wasDisturbed = false;
  return isDisturbed;
}

/** What our tables hold; nothing where they are gone. */
export function ownTables(name: string): NftObject[] {
  return ownFamilies.flatMap(
    (family) => orNone(() => nftables().list({ kind: 'table', family, name })) ?? [],
  );
}

/** The same, and as text in the language of nft(8). */
export function showOwnTables(name: string): { readonly text: string; readonly objects: NftObject[] } {
  const texts = ownFamilies.flatMap(
    (family) => orNone(() => nftables().run(`list table ${family} ${name}`)) ?? [],
  );
  return { text: texts.join('\n'), objects: ownTables(name) };
}

const ownFamilies = ['inet', 'bridge'] as const;

/** undefined where there is no such table. */
function orNone<T>(list: () => T): T | undefined {
  try {
    return list();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** All chains of the host, of whatever program. */
export function hostChains(): NftObject[] {
  return nftables().list({ kind: 'chains' });
}

/** The same, with the rules of those of other tables that look at forwarded packets and let through what none of them stops. */
export function hostChainsAndFilters(ownTable: string): NftObject[] {
  return hostChains().flatMap((object) => {
    if (!('chain' in object)) return [object];
    const { family, table, name, hook, policy } = object.chain as NftChain;
    if (table === ownTable || hook !== 'forward' || policy !== 'accept') return [object];
    // Listed anew, with its rules; it may have gone meanwhile.
    return orNone(() => nftables().list({ kind: 'chain', family, table, name })) ?? [];
  });
}

export interface Ruleset {
  /** Text in the language of nft(8): tables and maps that must be there; it leaves existing ones as they are. */
  readonly definitions: string;
  readonly commands: readonly NftCommand[];
  /** Text that deletes all of it, for where something of another shape is in the way. */
  readonly removal: string;
}

/** Puts the whole ruleset in place in one transaction. */
export function replaceFirewall({ definitions, commands, removal }: Ruleset): void {
  try {
    nftables().run(definitions);
    nftables().apply(commands);
  } catch (error) {
    if (!isErrno(error, 'EEXIST', 'EINVAL', 'EOPNOTSUPP')) throw error;
    // Another version of Seaway has left tables whose sets are of other types.
    nftables().run(removal);
    nftables().run(definitions);
    nftables().apply(commands);
  }
  knownGeneration = generation().read();
  wasDisturbed = false;
}

/** From which ports the host chooses one by itself, and which of them it leaves out; ip-sysctl in the kernel's own documentation. */
export interface LocalPorts {
  readonly range: readonly [first: number, last: number];
  readonly reserved: ReadonlySet<number>;
}

export function localPorts(): LocalPorts {
  const read = (name: string) => readSysctl(['net', 'ipv4', name]);
  return {
    range: parseLocalPortRange(read('ip_local_port_range')),
    reserved: parseReservedPorts(read('ip_local_reserved_ports')),
  };
}

/**
 * Lets packets that come from 127.0.0.1 of the host leave through the interface, to be translated on the way. Nobody
 * can come the other way: the firewall drops what arrives for 127.0.0.1. An interface that is gone is fine.
 */
export function admitLoopback(device: string): void {
  try {
    writeSysctl(['net', 'ipv4', 'conf', device, 'route_localnet'], '1');
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

/** Identifies this boot of the machine; random(4). */
export function bootId(): string {
  return readSysctl(['kernel', 'random', 'boot_id']);
}
