/** Bridges in the host's namespace, and the veth pairs that join sandboxes to them. */
import { existsSync } from 'node:fs';
import {
  type Address,
  deleteAddress,
  isErrno,
  isNamespace,
  type Link,
  newAddress,
  newNeighbour,
  newRoute,
  openNamespace,
  RouteSocket,
  runInNamespace,
  setLink,
  writeSysctl,
} from '@seaway/linux';
import { removeLink } from './links.ts';
import { createMarked, released } from './marked-links.ts';
import { route } from './sockets.ts';

/** An address of an interface with the block it lies in. */
export interface InterfaceAddress {
  readonly address: string;
  readonly prefixLength: number;
  /** Absent where the block has none. */
  readonly broadcast?: string;
}

export interface BridgeRequest {
  readonly name: string;
  /** Written on the device, so that it is known again as this installation's. */
  readonly mark: string;
  /** @default the kernel's */
  readonly mtuBytes?: number;
  readonly macAddress: string;
  readonly addresses: readonly InterfaceAddress[];
  readonly ipv6: boolean;
}

export type BridgeOutcome =
  | { readonly kind: 'ready'; readonly index: number; readonly created: boolean }
  /** A device of that name exists and does not bear our mark. */
  | { readonly kind: 'foreign'; readonly linkKind: string; readonly mark: string };

/** Makes the bridge with its addresses and brings it up, or finds it as it should be. */
export function ensureBridge(request: BridgeRequest): BridgeOutcome {
  const existing = route().link({ name: request.name });
  if (existing && (existing.kind !== 'bridge' || existing.alias !== request.mark)) {
    return { kind: 'foreign', linkKind: existing.kind ?? 'device', mark: existing.alias ?? '' };
  }
  const bridge = existing ?? createBridge(request);
  try {
    configureBridge(bridge, !existing, request);
  } catch (error) {
    if (!existing) removeLink(request.name);
    throw error;
  }
  return { kind: 'ready', index: bridge.index, created: !existing };
}

function createBridge({ name, mark, mtuBytes, macAddress }: BridgeRequest): Link {
  return createMarked({ name, kind: 'bridge', address: macAddress, ...mtuOf(mtuBytes) }, mark);
}

function mtuOf(bytes: number | undefined): { readonly mtu?: number } {
  return bytes === undefined ? {} : { mtu: bytes };
}

/** Switches IPv6 on or off on an interface of the calling thread's namespace; a kernel without IPv6 has it off. */
function setIpv6(name: string, isOn: boolean, more: Readonly<Record<string, string>> = {}): void {
  if (!existsSync('/proc/sys/net/ipv6')) return;
  const values = { disable_ipv6: isOn ? '0' : '1', ...(isOn ? more : {}) };
  for (const [key, value] of Object.entries(values)) writeSysctl(['net', 'ipv6', 'conf', name, key], value);
}

function configureBridge(bridge: Link, isNew: boolean, { addresses, ipv6, name }: BridgeRequest): void {
  const { index } = bridge;
  // Routers do not listen to other routers; and it is our own address that nobody else can have.
  if (isNew || ipv6) setIpv6(name, ipv6, { accept_ra: '0', accept_dad: '0' });
  const stale = isNew ? [] : staleAddresses(index, addresses);
  route().execute([
    ...stale.map(({ address, prefixLength }) => deleteAddress({ index, address, prefixLength })),
    ...addresses.map((address) => newAddress({ index, ...address, noDad: true, replace: true })),
    setLink({ index }, { up: true, ...(isNew ? released : {}) }),
  ]);
}

function staleAddresses(index: number, wanted: readonly InterfaceAddress[]): Address[] {
  return route()
    .addresses({ index })
    .filter(({ scope }) => scope !== 'link')
    .filter((address) => !wanted.some((one) => isSameAddress(one, address)));
}

function isSameAddress(a: InterfaceAddress, b: InterfaceAddress): boolean {
  return a.address === b.address && a.prefixLength === b.prefixLength;
}

/**
 * Takes a bridge's addresses away, and with them its routes, so that the next network can have its subnet at once:
 * deleting the device sleeps for tens of milliseconds. A device that is gone is fine.
 */
export function cutBridge(name: string): void {
  const link = route().link({ name });
  if (link) removeAddresses(route(), link.index);
}

function removeAddresses(socket: RouteSocket, index: number): void {
  const requests = socket
    .addresses({ index })
    .map(({ address, prefixLength }) => deleteAddress({ index, address, prefixLength }));
  try {
    socket.execute(requests);
  } catch (error) {
    // With the first address of a block the kernel takes the others along.
    if (!isErrno(error, 'EADDRNOTAVAIL')) throw error;
  }
}

/** The way out of a sandbox in one address family. */
export interface DefaultRoute {
  readonly gateway: string;
  /** The host's end of the pair on whose link the gateway is. */
  readonly hostInterface: string;
}

export interface AttachRequest {
  readonly namespace: string;
  /** Found, or made again where somebody has deleted it meanwhile. */
  readonly bridge: BridgeRequest;
  readonly hostInterface: string;
  readonly interfaceName: string;
  readonly macAddress: string;
  /** Tell the neighbours of the address: they may know it by another MAC address. */
  readonly announce: boolean;
  readonly mark: string;
  readonly addresses: readonly InterfaceAddress[];
  /** Default routes that lead through this interface from now on, instead of through another. */
  readonly gateways: readonly string[];
  /** Kernel parameters of the interface: paths below /proc/sys and their values. */
  readonly sysctls: readonly (readonly [path: readonly string[], value: string])[];
}

/**
 * Joins a namespace to a bridge: a veth pair whose container end is born inside the namespace under its final name,
 * so that it is never seen on the host, with its addresses and default routes.
 */
export function attachToBridge(request: AttachRequest): BridgeOutcome {
  const bridge = ensureBridge(request.bridge);
  if (bridge.kind === 'foreign') return bridge;
  const { mtuBytes } = request.bridge;
  using namespace = openNamespace(request.namespace);
  using inside = RouteSocket.open({ namespace });
  const host = createMarked(
    {
      name: request.hostInterface,
      kind: 'veth',
      ...mtuOf(mtuBytes),
      master: bridge.index,
      up: true,
      peer: {
        name: request.interfaceName,
        namespaceFd: namespace.fd,
        address: request.macAddress,
        ...mtuOf(mtuBytes),
      },
    },
    request.mark,
    { ipv6AddressGeneration: 'none' },
  );
  try {
    route().execute([
      setLink({ index: host.index }, released),
      // The predecessor at this address may have left an entry for the same MAC on its own, dying port: packets
      // would go there until the newcomer first speaks. So the bridge learns of the new port from us.
      newNeighbour({
        index: host.index,
        lladdr: request.macAddress,
        // The port is not forwarding yet, and then the kernel takes static entries alone.
        state: 'noArp',
        bridgeFdb: true,
        replace: true,
      }),
    ]);
    runInNamespace(namespace, () => configureParameters(request));
    configureInside(inside, request);
    return bridge;
  } catch (error) {
    removeLink(request.hostInterface);
    throw error;
  }
}

/**
 * Whether a veth pair is as {@link attachToBridge} leaves it; one of ours that is not is deleted. What somebody inside
 * has done to the interface since, such as another name or address, does not count.
 */
export function isAttached({
  namespace,
  hostInterface,
  mark,
}: Pick<AttachRequest, 'namespace' | 'hostInterface' | 'mark'>): boolean {
  if (route().link({ name: hostInterface })?.alias !== mark) return false;
  const isWhole = !isBare(namespace, hostInterface);
  if (!isWhole) removeLink(hostInterface);
  return isWhole;
}

/** Addresses come last, and the interface up with them. */
function isBare(namespace: string, hostInterface: string): boolean {
  using inside = RouteSocket.open({ namespace });
  const link = otherEnd(hostInterface, inside);
  return link !== undefined && !link.up && inside.addresses({ index: link.index }).length === 0;
}

/**
 * The end of a veth pair inside a namespace. Not found by name, which may be that of an interface that somebody inside
 * has made; and it may bear another one.
 */
function otherEnd(hostInterface: string, inside: RouteSocket): Link | undefined {
  const host = route().link({ name: hostInterface });
  const link = host?.linkIndex === undefined ? undefined : inside.link({ index: host.linkIndex });
  return link?.kind === 'veth' && link.linkIndex === host?.index ? link : undefined;
}

/** Puts the host's ends of veth pairs back on the bridge that they belong to, where that was made anew. */
export function ensurePorts(request: {
  readonly bridgeIndex: number;
  readonly links: readonly string[];
}): void {
  const strays = request.links.flatMap((name) => {
    const link = route().link({ name });
    return link && link.master !== request.bridgeIndex ? link.index : [];
  });
  route().execute(strays.map((index) => setLink({ index }, { master: request.bridgeIndex, up: true })));
}

/** Lets a container reach itself over its bridge, by a port that is published on the host. Links that are gone are fine. */
export function allowHairpin(links: readonly string[]): void {
  for (const name of links) {
    const link = route().link({ name });
    if (link) route().execute([setLink({ index: link.index }, { hairpin: true })]);
  }
}

function configureParameters({ interfaceName, bridge, announce, sysctls }: AttachRequest): void {
  setIpv6(interfaceName, bridge.ipv6, announce ? { ndisc_notify: '1' } : {});
  if (announce) writeSysctl(['net', 'ipv4', 'conf', interfaceName, 'arp_notify'], '1');
  for (const [path, value] of sysctls) writeSysctl(path, value);
}

function configureInside(inside: RouteSocket, { interfaceName, addresses, gateways }: AttachRequest): void {
  const { index } = inside.link({ name: interfaceName })!;
  inside.execute([
    ...addresses.map((address) => newAddress({ index, ...address, noDad: true })),
    setLink({ index }, { up: true }),
    ...gateways.map((gateway) => newRoute({ gateway, index, replace: true })),
  ]);
}

export interface CutRequest {
  readonly namespace: string;
  /** The other end of the pair. */
  readonly hostInterface: string;
  /** What the interface is called until it is deleted, so that the next one can have its name. */
  readonly parkedName: string;
  /** The sandbox's ways out once the interface is gone, in place of those that led through it. */
  readonly defaultRoutes: readonly DefaultRoute[];
}

/**
 * Silences an interface at once: without addresses the kernel behind it neither answers nor sends. Deleting the
 * link sleeps for tens of milliseconds; this takes microseconds, and the address can go to the next container.
 */
export function silenceInterface(request: Pick<CutRequest, 'namespace' | 'hostInterface'>): void {
  if (!isNamespace(request.namespace)) return;
  using inside = RouteSocket.open({ namespace: request.namespace });
  const link = otherEnd(request.hostInterface, inside);
  if (link) removeAddresses(inside, link.index);
}

/** As {@link silenceInterface}, in a namespace that lives on: name and routes can go to the next interface as well. */
export function cutInterface(request: CutRequest): void {
  const { namespace, hostInterface, parkedName, defaultRoutes } = request;
  if (!isNamespace(namespace)) return;
  using inside = RouteSocket.open({ namespace });
  const index = otherEnd(hostInterface, inside)?.index;
  if (index !== undefined) {
    removeAddresses(inside, index);
    inside.execute([setLink({ index }, { down: true }), setLink({ index }, { name: parkedName })]);
  }
  addDefaultRoutes(inside, defaultRoutes);
}

/** With an interface go its routes; a way out that somebody inside has chosen instead stays. */
function addDefaultRoutes(inside: RouteSocket, routes: readonly DefaultRoute[]): void {
  for (const { gateway, hostInterface } of routes) {
    const link = otherEnd(hostInterface, inside);
    if (!link) continue;
    try {
      inside.execute([newRoute({ gateway, index: link.index })]);
    } catch (error) {
      // There is one, or the interface is not any more what the gateway could be reached by.
      if (!isErrno(error, 'EEXIST', 'ENETUNREACH', 'EHOSTUNREACH', 'ENETDOWN', 'EINVAL')) throw error;
    }
  }
}
