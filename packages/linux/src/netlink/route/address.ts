/** Addresses of links: the wire form of RTM_*ADDR, requests, and how they read. */
import { familyOf, formatIp, ipAddress, parseIp, parsePrefix } from '../addresses.ts';
import { attributeTable, cString, messageCodec, struct, u8, u32, type ValueOf } from '../codec.ts';
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from '../message.ts';
import { defined } from './defined.ts';
import { type ScopeName, scopeName, scopeNumber } from './scope.ts';

/** Message types. Source: linux/rtnetlink.h. */
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;

/** Address flags. Source: linux/if_addr.h. */
const IFA_F_NODAD = 0x02;
const IFA_F_DADFAILED = 0x08;
const IFA_F_TENTATIVE = 0x40;
const IFA_F_PERMANENT = 0x80;

/** struct ifaddrmsg. Source: linux/if_addr.h. */
const addressHeader = struct(8, {
  family: [0, u8],
  prefixLength: [1, u8],
  /** The low byte of what the FLAGS attribute has in full. */
  flags: [2, u8],
  scope: [3, u8],
  index: [4, u32],
});

/** IFA_*. Source: linux/if_addr.h. */
const addressAttributes = attributeTable({
  address: { id: 1, as: ipAddress }, // IFA_ADDRESS: the peer's on a point-to-point link, else the same as local
  local: { id: 2, as: ipAddress }, // IFA_LOCAL
  label: { id: 3, as: cString(16) }, // IFA_LABEL
  broadcast: { id: 4, as: ipAddress }, // IFA_BROADCAST
  flags: { id: 8, as: u32 }, // IFA_FLAGS
  priority: { id: 9, as: u32 }, // IFA_RT_PRIORITY
  protocol: { id: 11, as: u8 }, // IFA_PROTO
});

export const addressMessage = messageCodec(addressHeader, addressAttributes);
export type AddressMessage = ValueOf<typeof addressMessage>;

/** A request about addresses; plain data. */
export interface AddressRequest {
  readonly message: 'address';
  readonly type: number;
  readonly flags: number;
  readonly description: string;
  readonly header: Partial<AddressMessage['header']>;
  readonly attributes: AddressMessage['attributes'];
}

export interface NewAddress {
  /** Index of the link. */
  readonly index: number;
  /** IPv4 or IPv6. */
  readonly address: string;
  readonly prefixLength: number;
  /** IPv4: the broadcast address; `true` takes the last one of the prefix. @default none */
  readonly broadcast?: string | true;
  /** IPv6: use it at once, without duplicate address detection. @default false */
  readonly noDad?: boolean;
  readonly scope?: ScopeName;
  /** Change it where it exists, instead of failing with EEXIST. @default false */
  readonly replace?: boolean;
}

/** A request that gives a link an address. Throws RangeError for an impossible one. */
export function newAddress(wanted: NewAddress): AddressRequest {
  const { index, address, prefixLength, broadcast, noDad, scope, replace } = wanted;
  const { family } = parsePrefix(`${address}/${prefixLength}`);
  return {
    message: 'address',
    type: RTM_NEWADDR,
    flags: NLM_F_CREATE | (replace ? NLM_F_REPLACE : NLM_F_EXCL),
    description: `add address ${address}/${prefixLength} to link ${index}`,
    header: { family, prefixLength, index, scope: scope === undefined ? 0 : scopeNumber(scope) },
    attributes: {
      address,
      local: address,
      broadcast: broadcast === true ? lastAddress(address, prefixLength) : broadcast,
      ...(noDad ? { flags: IFA_F_NODAD } : {}),
    },
  };
}

/** A request that takes an address from a link. */
export function deleteAddress(which: {
  readonly index: number;
  readonly address: string;
  readonly prefixLength: number;
}): AddressRequest {
  const { index, address, prefixLength } = which;
  const { family } = parsePrefix(`${address}/${prefixLength}`);
  return {
    message: 'address',
    type: RTM_DELADDR,
    flags: 0,
    description: `delete address ${address}/${prefixLength} of link ${index}`,
    header: { family, prefixLength, index },
    attributes: { address, local: address },
  };
}

export interface AddressFilter {
  /** Only those of this link. */
  readonly index?: number;
  /** Only those of IPv4 or of IPv6. */
  readonly family?: 4 | 6;
}

export function dumpAddresses({ index, family }: AddressFilter = {}): AddressRequest {
  return {
    message: 'address',
    type: RTM_GETADDR,
    flags: 0,
    description: 'list addresses',
    header: { family: family === undefined ? 0 : family === 4 ? 2 : 10, index: index ?? 0 },
    attributes: {},
  };
}

/** An address of a link. */
export interface Address {
  readonly index: number;
  readonly family: 4 | 6;
  readonly address: string;
  readonly prefixLength: number;
  readonly broadcast?: string;
  /** The other end of a point-to-point link, where it differs. */
  readonly peer?: string;
  readonly label?: string;
  readonly scope: ScopeName | number;
  /** IFA_F_* bits. */
  readonly flags: number;
  readonly permanent: boolean;
  /** IPv6: duplicate address detection is still going on; packets cannot use it yet. */
  readonly tentative: boolean;
  /** IPv6: somebody else has it. */
  readonly duplicate: boolean;
}

export function toAddress({ header, attributes }: AddressMessage): Address {
  const address = attributes.local ?? attributes.address ?? '';
  const flags = attributes.flags ?? header.flags;
  return defined({
    index: header.index,
    family: header.family === 2 ? (4 as const) : (6 as const),
    address,
    prefixLength: header.prefixLength,
    broadcast: attributes.broadcast,
    peer: attributes.address === address ? undefined : attributes.address,
    label: attributes.label,
    scope: scopeName(header.scope),
    flags,
    permanent: (flags & IFA_F_PERMANENT) !== 0,
    tentative: (flags & IFA_F_TENTATIVE) !== 0,
    duplicate: (flags & IFA_F_DADFAILED) !== 0,
  });
}

/** The IPv4 address of the prefix whose host bits are all ones; none for IPv6 and for /31 and /32 (RFC 3021). */
function lastAddress(address: string, prefixLength: number): string | undefined {
  if (familyOf(address) !== 2 || prefixLength > 30) return undefined;
  const bytes = parseIp(address);
  for (let bit = prefixLength; bit < 32; bit += 1) bytes[bit >> 3]! |= 0x80 >> (bit & 7);
  return formatIp(bytes);
}
