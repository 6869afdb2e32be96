/**
 * Published ports in the firewall: maps from ports of the host to ports of containers, and the rules that look there.
 * Pure. The maps are made by {@link mapDefinitions} in the language of nft(8): libnftables 1.0.6 silently makes plain
 * sets of maps with concatenated values when it is told of them in JSON.
 */
import type { NftCommand, NftElement, NftExpression } from '@seaway/linux/nftables-json';
import type { Family } from '../base/address.ts';
import { addChain, addRule, concat, field, match, meta, tableName } from './nft.ts';
import { sourceMapDefinitions } from './sources.ts';

/** A port of the host that leads to a container. */
export interface FirewallPort {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** `0.0.0.0` or `::` for every address of the host. */
  readonly hostAddress: string;
  readonly hostPort: number;
  /** Of the same family as the host's. Absent where the kernel cannot translate, and the keeper passes it on. */
  readonly containerAddress?: string;
  readonly containerPort: number;
}

/**
 * A port of a container that is reached by routing alone: where nothing is translated, publishing opens it to all;
 * elsewhere to the interfaces that the network trusts.
 */
export interface FirewallOpening {
  readonly address: string;
  readonly protocol: FirewallPort['protocol'];
  readonly port: number;
}

/** Ports of the host: those on every address, and those on one. */
const portMaps = {
  ipv4: { every: 'published4', one: 'published4_at', address: 'ipv4_addr', any: '0.0.0.0', dnat: 'ip' },
  ipv6: { every: 'published6', one: 'published6_at', address: 'ipv6_addr', any: '::', dnat: 'ip6' },
} as const;

/** The same of those that the keeper passes on: sets, with the maps' keys. */
export const relayedSets = {
  ipv4: { every: 'relayed4', one: 'relayed4_at' },
  ipv6: { every: 'relayed6', one: 'relayed6_at' },
} as const satisfies Record<Family, object>;

/** Ports of containers that are open to those who route there, all or trusted ones. */
export const openingSets = { ipv4: 'opened4', ipv6: 'opened6' } as const satisfies Record<Family, string>;

export const portMapNames: readonly string[] = Object.values(portMaps).flatMap(({ every, one }) => [
  every,
  one,
]);

/** Commands in the language of nft(8) that make the table with its maps, or leave them as they are. */
export const mapDefinitions: string = [
  `add table inet ${tableName}`,
  ...Object.values(portMaps).flatMap(({ every, one, address }) => [
    `add map inet ${tableName} ${every} { type inet_proto . inet_service : ${address} . inet_service; }`,
    `add map inet ${tableName} ${one} { type ${address} . inet_proto . inet_service : ${address} . inet_service; }`,
  ]),
  ...sourceMapDefinitions,
].join('\n');

export const loopback: NftExpression = { prefix: { addr: '127.0.0.0', len: 8 } };
const l4proto = meta('l4proto');
const ofFamily = (family: Family) => match(meta('nfproto'), '==', family);
const port = field('th', 'dport');
/** Where there are ports at all; without knowing that, the kernel does not look at them. */
export const hasPorts = match(l4proto, '==', { set: ['tcp', 'udp', 'sctp'] });

/**
 * Translation of published ports, for what comes from elsewhere and for the host itself.
 * @param bridges the set of all bridges, as rules refer to it
 * @param internal the same of the bridges of internal networks
 */
export function portChains(bridges: string, internal: string): NftCommand[] {
  return [
    addChain('inet', 'raw_prerouting', 'filter', 'prerouting', -300),
    ...(['one', 'every'] as const).map((which) =>
      addRule('inet', 'raw_prerouting', `127.0.0.1 is not for others, ${which} address`, [
        match(meta('iifname'), '!=', 'lo'),
        hasPorts,
        match(field('ip', 'daddr'), '==', loopback),
        match(portKey('ipv4', which), '==', `@${portMaps.ipv4[which]}`),
        { counter: null },
        { drop: null },
      ]),
    ),
    addRule('inet', 'raw_prerouting', 'nor for containers', [
      match(meta('iifname'), '==', bridges),
      match(field('ip', 'daddr'), '==', loopback),
      { counter: null },
      { drop: null },
    ]),
    addChain('inet', 'prerouting', 'nat', 'prerouting', -100),
    ...portRules('prerouting'),
    addChain('inet', 'output', 'nat', 'output', -100),
    // The kernel takes no packet from ::1 to another interface: the keeper serves that address.
    addRule('inet', 'output', 'the IPv6 loopback is served otherwise', [
      match(field('ip6', 'daddr'), '==', '::1'),
      { accept: null },
    ]),
    ...portRules('output'),
    addChain('inet', 'input', 'filter', 'input', 0),
    // First, so that the host's own traffic costs one look.
    addRule('inet', 'input', 'from elsewhere than internal networks', [
      match(meta('iifname'), '!=', internal),
      { accept: null },
    ]),
    // What is translated is dropped on its way to another bridge; these end at the host.
    ...(['ipv4', 'ipv6'] as const).flatMap((family) =>
      (['one', 'every'] as const).map((which) =>
        addRule('inet', 'input', `${family}: internal networks reach no port on ${which} address`, [
          ofFamily(family),
          hasPorts,
          match(portKey(family, which), '==', `@${relayedSets[family][which]}`),
          { counter: null },
          { drop: null },
        ]),
      ),
    ),
  ];
}

function portRules(chain: string): NftCommand[] {
  const isOurs = match({ fib: { result: 'type', flags: ['daddr'] } }, '==', 'local');
  return (['ipv4', 'ipv6'] as const).flatMap((family) =>
    (['one', 'every'] as const).map((which) =>
      addRule('inet', chain, `${family}: published on ${which} address`, [
        hasPorts,
        isOurs,
        {
          dnat: {
            family: portMaps[family].dnat,
            addr: { map: { key: portKey(family, which), data: `@${portMaps[family][which]}` } },
          },
        },
      ]),
    ),
  );
}

function portKey(family: Family, which: 'one' | 'every'): NftExpression {
  const address = field(portMaps[family].dnat, 'daddr');
  return which === 'one' ? concat(address, l4proto, port) : concat(l4proto, port);
}

/** The key of {@link openingSets} that a packet has. */
export function openingKey(family: Family): NftExpression {
  return portKey(family, 'one');
}

type ElementValue = NftElement['elem'][number];

/** Elements of published ports, as few commands as there are maps. */
export function addPorts(ports: readonly FirewallPort[]): NftCommand[] {
  return portElements(ports, ({ containerAddress, containerPort }, key) => [
    key,
    concat(containerAddress!, containerPort),
  ]).map((element) => ({ add: { element } }));
}

/** Takes back what {@link addPorts} added. */
export function removePorts(ports: readonly FirewallPort[]): NftCommand[] {
  return portElements(ports, (_, key) => key).map((element) => ({ delete: { element } }));
}

function portElements(
  ports: readonly FirewallPort[],
  toElement: (port: FirewallPort, key: NftExpression) => ElementValue,
): NftElement[] {
  const byMap = new Map<string, ElementValue[]>();
  for (const published of ports) {
    const { protocol, hostAddress, hostPort } = published;
    const maps = portMaps[familyOf(hostAddress)];
    const isEvery = hostAddress === maps.any;
    const key = isEvery ? concat(protocol, hostPort) : concat(hostAddress, protocol, hostPort);
    const isRelayed = published.containerAddress === undefined;
    const names = isRelayed ? relayedSets[familyOf(hostAddress)] : maps;
    const name = isEvery ? names.every : names.one;
    const elements = byMap.get(name) ?? [];
    elements.push(isRelayed ? key : toElement(published, key));
    byMap.set(name, elements);
  }
  return [...byMap].map(([name, elem]) => ({ family: 'inet', table: tableName, name, elem }));
}

/** Elements of opened ports. */
export function addOpenings(openings: readonly FirewallOpening[]): NftCommand[] {
  return openingElements(openings).map((element) => ({ add: { element } }));
}

/** Takes back what {@link addOpenings} added. */
export function removeOpenings(openings: readonly FirewallOpening[]): NftCommand[] {
  return openingElements(openings).map((element) => ({ delete: { element } }));
}

function openingElements(openings: readonly FirewallOpening[]): NftElement[] {
  return (['ipv4', 'ipv6'] as const).flatMap((family) => {
    const elem = openings
      .filter(({ address }) => familyOf(address) === family)
      .map(({ address, protocol, port: number }) => concat(address, protocol, number));
    return elem.length > 0 ? [{ family: 'inet', table: tableName, name: openingSets[family], elem }] : [];
  });
}

function familyOf(address: string): Family {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}
