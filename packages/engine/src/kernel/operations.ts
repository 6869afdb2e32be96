/**
 * What the engine asks of the kernel, as functions that run on a kernel thread: they may sleep in the kernel, so
 * they are never called on the event loop. Each `ensure` can be repeated, each `remove` treats "already gone" as
 * done. Arguments and results are plain data, because they cross threads.
 */
import { existsSync, mkdirSync } from 'node:fs';
import {
  createNamespace,
  deleteAddress,
  deleteLink,
  isErrno,
  isMountPoint,
  isNamespace,
  type Link,
  type MountFlag,
  mount,
  Nftables,
  type NftCommand,
  newAddress,
  newLink,
  newNeighbour,
  newRoute,
  openNamespace,
  RouteSocket,
  readSysctl,
  removeNamespace,
  runInNamespace,
  setLink,
  unmount,
  writeSysctl,
} from '@seaway/linux';

let hostRoute: RouteSocket | undefined;
let hostNftables: Nftables | undefined;

/** This thread's own sockets in the host's namespace, opened once: closing an nfnetlink socket costs 9 ms. */
function route(): RouteSocket {
  hostRoute ??= RouteSocket.open();
  return hostRoute;
}

function nftables(): Nftables {
  hostNftables ??= Nftables.open();
  return hostNftables;
}

export interface BridgeRequest {
  readonly name: string;
  /** Written on the device, so that it is known again as this installation's. */
  readonly mark: string;
  readonly mtuBytes?: number;
  readonly macAddress: string;
  readonly address: string;
  readonly prefixLength: number;
  /** Absent where the subnet has none. */
  readonly broadcast?: string;
}

export type BridgeOutcome =
  | { readonly kind: 'ready'; readonly index: number; readonly created: boolean }
  /** A device of that name exists and does not bear our mark. */
  | { readonly kind: 'foreign'; readonly linkKind: string; readonly mark: string };

/** Makes the bridge with its address and brings it up, or finds it as it should be. */
export function ensureBridge(request: BridgeRequest): BridgeOutcome {
  const existing = route().link({ name: request.name });
  if (existing && (existing.kind !== 'bridge' || existing.alias !== request.mark)) {
    return { kind: 'foreign', linkKind: existing.kind ?? 'device', mark: existing.alias ?? '' };
  }
  const bridge = existing ?? createBridge(request);
  try {
    configureBridge(bridge, request);
  } catch (error) {
    if (!existing) removeLink(request.name);
    throw error;
  }
  return { kind: 'ready', index: bridge.index, created: !existing };
}

function mtuOf(bytes: number | undefined): { readonly mtu?: number } {
  return bytes === undefined ? {} : { mtu: bytes };
}

function createBridge({ name, mark, mtuBytes, macAddress }: BridgeRequest): Link {
  route().execute([
    newLink({ name, kind: 'bridge', address: macAddress, ...mtuOf(mtuBytes) }),
    setLink({ name }, { alias: mark }),
  ]);
  return route().link({ name })!;
}

function configureBridge(bridge: Link, { address, prefixLength, broadcast }: BridgeRequest): void {
  const { index } = bridge;
  const stale = route()
    .addresses({ index, family: 4 })
    .filter((other) => other.address !== address || other.prefixLength !== prefixLength);
  route().execute([
    ...stale.map((other) =>
      deleteAddress({ index, address: other.address, prefixLength: other.prefixLength }),
    ),
    newAddress({ index, address, prefixLength, ...(broadcast ? { broadcast } : {}), replace: true }),
    setLink({ index }, { up: true }),
  ]);
}

export interface NamespaceRequest {
  readonly path: string;
  /** Whether interfaces that are added later get IPv6. */
  readonly ipv6: boolean;
}

/** Makes a network namespace that lives at `path`, with its loopback up. */
export function ensureNamespace({ path, ipv6 }: NamespaceRequest): void {
  if (!isNamespace(path)) createNamespace(path);
  using inside = RouteSocket.open({ namespace: path });
  inside.execute([setLink({ name: 'lo' }, { up: true })]);
  runInNamespace(path, () => {
    // `default` holds for interfaces to come; the loopback keeps ::1.
    if (existsSync('/proc/sys/net/ipv6')) {
      writeSysctl(['net', 'ipv6', 'conf', 'default', 'disable_ipv6'], ipv6 ? '0' : '1');
    }
  });
}

/** Ends the namespace's life at `path`; the kernel destroys it and its veth pairs in the background. */
export function removeSandboxNamespace(path: string): void {
  removeNamespace(path);
}

export interface AttachRequest {
  readonly namespace: string;
  /** Found, or made again where somebody has deleted it meanwhile. */
  readonly bridge: BridgeRequest;
  readonly hostInterface: string;
  readonly interfaceName: string;
  readonly macAddress: string;
  readonly mtuBytes?: number;
  readonly mark: string;
  readonly address: string;
  readonly prefixLength: number;
  /** Default route; absent on networks without a way out. */
  readonly gateway?: string;
}

/**
 * Joins a namespace to a bridge: a veth pair whose container end is born inside the namespace under its final name,
 * so that it is never seen on the host, with its address and default route.
 */
export function attachToBridge(request: AttachRequest): BridgeOutcome {
  const bridge = ensureBridge(request.bridge);
  if (bridge.kind === 'foreign') return bridge;
  using namespace = openNamespace(request.namespace);
  using inside = RouteSocket.open({ namespace });
  route().execute([
    newLink({
      name: request.hostInterface,
      kind: 'veth',
      ...mtuOf(request.mtuBytes),
      master: bridge.index,
      up: true,
      peer: {
        name: request.interfaceName,
        namespaceFd: namespace.fd,
        address: request.macAddress,
        ...mtuOf(request.mtuBytes),
      },
    }),
  ]);
  try {
    const host = route().link({ name: request.hostInterface })!;
    route().execute([
      setLink({ index: host.index }, { alias: request.mark }),
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
    configureInside(inside, request);
    return bridge;
  } catch (error) {
    removeLink(request.hostInterface);
    throw error;
  }
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

function configureInside(inside: RouteSocket, request: AttachRequest): void {
  const { index } = inside.link({ name: request.interfaceName })!;
  const { address, prefixLength, gateway } = request;
  const { broadcast } = request.bridge;
  inside.execute([
    newAddress({ index, address, prefixLength, ...(broadcast ? { broadcast } : {}) }),
    setLink({ index }, { up: true }),
    ...(gateway ? [newRoute({ gateway, index })] : []),
  ]);
}

/**
 * Silences an interface at once: without addresses the kernel behind it neither answers nor sends. Deleting the
 * link sleeps for tens of milliseconds; this takes microseconds, and the address can go to the next container.
 */
export function cutInterface(request: { readonly namespace: string; readonly interfaceName: string }): void {
  if (!isNamespace(request.namespace)) return;
  using inside = RouteSocket.open({ namespace: request.namespace });
  const link = inside.link({ name: request.interfaceName });
  if (!link) return;
  inside.execute(
    inside
      .addresses({ index: link.index })
      .map(({ address, prefixLength }) => deleteAddress({ index: link.index, address, prefixLength })),
  );
}

/** Deletes a link of the host's namespace by name. Sleeps for tens of milliseconds in the kernel. */
export function removeLink(name: string): void {
  try {
    route().execute([deleteLink({ name })]);
  } catch (error) {
    if (!isErrno(error, 'ENODEV')) throw error;
  }
}

/** Deletes those of the links that still exist. */
export function removeLinks(names: readonly string[]): void {
  for (const name of names) if (linkExists(name)) removeLink(name);
}

/** Names and marks of the host's links that bear a mark beginning with `prefix`. */
export function markedLinks(prefix: string): { readonly name: string; readonly mark: string }[] {
  return route()
    .links()
    .flatMap(({ name, alias }) => (alias?.startsWith(prefix) ? [{ name, mark: alias }] : []));
}

function linkExists(name: string): boolean {
  return route().link({ name }) !== undefined;
}

/** On-link IPv4 destinations of the host, as CIDR blocks; routes through a gateway are left out. */
export function onLinkRoutes(): string[] {
  return route()
    .routes({ family: 4 })
    .flatMap(({ destination, gateway }) => (destination && !gateway ? [destination] : []));
}

export function applyFirewall(commands: readonly NftCommand[]): void {
  nftables().apply(commands);
}

/** Turns IPv4 forwarding on; tells whether it was off before. */
export function enableForwarding(): boolean {
  const name = ['net', 'ipv4', 'ip_forward'];
  if (readSysctl(name) === '1') return false;
  writeSysctl(name, '1');
  return true;
}

export interface OverlayRequest {
  /** Read-only layer folders, topmost first. */
  readonly lower: readonly string[];
  readonly upper: string;
  readonly work: string;
  readonly target: string;
}

/** Mounts a writable view over read-only layers, or finds it mounted. */
export function ensureOverlay({ lower, upper, work, target }: OverlayRequest): void {
  for (const folder of [upper, work, target]) mkdirSync(folder, { recursive: true, mode: 0o711 });
  if (isMountPoint(target)) return;
  const quote = (path: string) => path.replace(/[\\:,]/g, '\\$&');
  mount({
    source: 'overlay',
    target,
    type: 'overlay',
    flags: [] satisfies MountFlag[],
    data: `lowerdir=${lower.map(quote).join(':')},upperdir=${quote(upper)},workdir=${quote(work)}`,
  });
}

/** Unmounts; what still uses it keeps it alive until it is done. */
export function removeMount(target: string): void {
  if (existsSync(target)) unmount(target, { detach: true });
}

/** Identifies this boot of the machine; random(4). */
export function bootId(): string {
  return readSysctl(['kernel', 'random', 'boot_id']);
}
