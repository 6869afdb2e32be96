/** The host's own state beside its links: the firewall, forwarding, and which boot this is. */
import { existsSync } from 'node:fs';
import { isErrno, type NftCommand, readSysctl, writeSysctl } from '@seaway/linux';
import { nftables } from './sockets.ts';

export function applyFirewall(commands: readonly NftCommand[]): void {
  nftables().apply(commands);
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
}

const forwarding = {
  4: ['net', 'ipv4', 'ip_forward'],
  6: ['net', 'ipv6', 'conf', 'all', 'forwarding'],
} as const;

/** Turns forwarding on; tells whether it was off before. A kernel without the family has nothing to turn on. */
export function enableForwarding(family: 4 | 6): boolean {
  if (family === 6 && !existsSync('/proc/sys/net/ipv6')) return false;
  const name = forwarding[family];
  if (readSysctl(name) === '1') return false;
  writeSysctl(name, '1');
  return true;
}

/** Identifies this boot of the machine; random(4). */
export function bootId(): string {
  return readSysctl(['kernel', 'random', 'boot_id']);
}
