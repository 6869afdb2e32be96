/** rtnetlink: links, addresses, routes and neighbours of one network namespace. Source: rtnetlink(7). */
import { isErrno } from '../errno.ts';
import type { Codec } from './codec.ts';
import type { Frame } from './message.ts';
import {
  type Address,
  type AddressFilter,
  type AddressRequest,
  addressMessage,
  dumpAddresses,
  RTM_NEWADDR,
  toAddress,
} from './route/address.ts';
import {
  dumpLinks,
  getLink,
  type Link,
  type LinkFilter,
  type LinkReference,
  type LinkRequest,
  linkMessage,
  RTM_NEWLINK,
  toLink,
} from './route/link.ts';
import {
  dumpNeighbours,
  type Neighbour,
  type NeighbourFilter,
  type NeighbourRequest,
  neighbourMessage,
  RTM_NEWNEIGH,
  toNeighbour,
} from './route/neighbour.ts';
import {
  dumpRoutes,
  type Route,
  type RouteFilter,
  type RouteTableRequest,
  RTM_NEWROUTE,
  routeMessage,
  toRoute,
} from './route/route.ts';
import { type NetlinkRequest, NetlinkSocket, type NetlinkSocketOptions } from './socket.ts';

/** linux/netlink.h */
export const NETLINK_ROUTE = 0;

/** A change that `execute` carries out. Plain data: it can be compared, printed, and posted to another thread. */
export type RouteRequest = LinkRequest | AddressRequest | RouteTableRequest | NeighbourRequest;

const codecs = {
  link: linkMessage,
  address: addressMessage,
  route: routeMessage,
  neighbour: neighbourMessage,
} as const satisfies Record<RouteRequest['message'], unknown>;

function encodable(request: RouteRequest): NetlinkRequest {
  const codec = codecs[request.message] as Codec<unknown>;
  return { ...request, body: (writer) => codec.write(writer, request) };
}

/**
 * A conversation with the kernel's routing tables. Calls are synchronous; those that only read or add take
 * tens of microseconds, those that delete links sleep in the kernel and belong on a KernelThread.
 */
export class RouteSocket implements Disposable {
  readonly #socket: NetlinkSocket;

  private constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  /** Opens a socket that stays bound to the namespace. Throws LinuxError when that cannot be entered. */
  static open(options: NetlinkSocketOptions = {}): RouteSocket {
    return new RouteSocket(NetlinkSocket.open(NETLINK_ROUTE, options));
  }

  /**
   * Sends all requests at once and waits until the kernel has worked through them. It does not stop at a
   * failure: requests after a failed one are carried out too. Throws NetlinkError of the first failure,
   * with its `index`; RangeError or TypeError, before anything is sent, for values that cannot be encoded.
   */
  execute(requests: readonly RouteRequest[]): void {
    if (requests.length > 0) this.#socket.execute(requests.map(encodable));
  }

  /** One link, or undefined when there is none of that index or name. Throws NetlinkError. */
  link(where: LinkReference): Link | undefined {
    try {
      return this.#socket.get(encodable(getLink(where)), (view, frame) => readLink(view, frame));
    } catch (error) {
      if (isErrno(error, 'ENODEV')) return undefined;
      throw error;
    }
  }

  /** The links of the namespace. */
  links(filter: LinkFilter = {}): Link[] {
    return this.#dump(dumpLinks(filter), RTM_NEWLINK, readLink);
  }

  /** The addresses of the namespace's links. */
  addresses(filter: AddressFilter = {}): Address[] {
    return this.#dump(dumpAddresses(filter), RTM_NEWADDR, (view, { start, end }) =>
      toAddress(addressMessage.read(view, start, end)),
    );
  }

  /** The routes of all tables, or of one. */
  routes(filter: RouteFilter = {}): Route[] {
    return this.#dump(dumpRoutes(filter), RTM_NEWROUTE, (view, { start, end }) =>
      toRoute(routeMessage.read(view, start, end)),
    );
  }

  /** The neighbours, or with `family: 'bridge'` the forwarding tables of bridges and VXLANs. */
  neighbours(filter: NeighbourFilter = {}): Neighbour[] {
    return this.#dump(dumpNeighbours(filter), RTM_NEWNEIGH, (view, { start, end }) =>
      toNeighbour(neighbourMessage.read(view, start, end)),
    );
  }

  /** Closes the socket. Closing again does nothing. */
  close(): void {
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #dump<T>(request: RouteRequest, type: number, read: (view: DataView, frame: Frame) => T): T[] {
    return this.#socket.dump(encodable(request), (view, frame) =>
      frame.type === type ? read(view, frame) : undefined,
    );
  }
}

function readLink(view: DataView, { start, end }: Frame): Link {
  return toLink(linkMessage.read(view, start, end));
}
