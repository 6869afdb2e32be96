/** Multicast events of rtnetlink: what changes in a namespace, as it happens. Source: rtnetlink(7), linux/rtnetlink.h. */
import { isErrno, type LinuxError } from '../errno.ts';
import * as libc from '../libc.ts';
import { PollThread, type Watch } from '../poll-thread.ts';
import { type Frame, frames } from './message.ts';
import { type Address, addressMessage, RTM_DELADDR, RTM_NEWADDR, toAddress } from './route/address.ts';
import { type Link, linkMessage, RTM_DELLINK, RTM_NEWLINK, toLink } from './route/link.ts';
import {
  type Neighbour,
  neighbourMessage,
  RTM_DELNEIGH,
  RTM_NEWNEIGH,
  toNeighbour,
} from './route/neighbour.ts';
import { type Route, RTM_DELROUTE, RTM_NEWROUTE, routeMessage, toRoute } from './route/route.ts';
import { NETLINK_ROUTE } from './route-socket.ts';
import { type NetlinkSocketOptions, openNetlink } from './socket.ts';

/** Multicast groups. Source: linux/rtnetlink.h, enum rtnetlink_groups. */
const groupNumbers = {
  link: 1,
  neighbour: 3,
  'ipv4-address': 5,
  'ipv4-route': 7,
  'ipv6-address': 9,
  'ipv6-route': 11,
} as const;

export type RouteGroup = keyof typeof groupNumbers;

/** Something was made or changed (`new`), or is gone (`delete`). */
export type RouteEvent = { readonly change: 'new' | 'delete' } & (
  | { readonly kind: 'link'; readonly link: Link }
  | { readonly kind: 'address'; readonly address: Address }
  | { readonly kind: 'route'; readonly route: Route }
  | { readonly kind: 'neighbour'; readonly neighbour: Neighbour }
);

export interface RouteMonitorOptions extends NetlinkSocketOptions {
  /** What to hear about. */
  readonly groups: readonly RouteGroup[];
  /** The thread to read on. @default one of its own, closed with the monitor */
  readonly pollThread?: PollThread;
}

/** A multicast datagram holds few messages; links with many attributes take a few KiB each. */
const MAX_DATAGRAM_BYTES = 64 * 1024;

/** A subscription. Events are read on a PollThread and decoded on the event loop. */
export class RouteMonitor {
  readonly #fd: number;
  readonly #watch: Watch;
  readonly #ownThread: PollThread | undefined;
  #closed: Promise<void> | undefined;

  private constructor(fd: number, watch: Watch, ownThread: PollThread | undefined) {
    this.#fd = fd;
    this.#watch = watch;
    this.#ownThread = ownThread;
  }

  /**
   * Subscribes: everything that happens from now on is reported.
   * @param onOverrun the kernel dropped events (or, with `error`, reading has failed and the monitor is over):
   *   what is known must be read anew.
   * Throws LinuxError when the namespace cannot be entered.
   */
  static open(
    options: RouteMonitorOptions,
    onEvent: (event: RouteEvent) => void,
    onOverrun: (error?: LinuxError) => void,
  ): RouteMonitor {
    const fd = openNetlink(NETLINK_ROUTE, groupBits(options.groups), options);
    const ownThread = options.pollThread === undefined ? PollThread.start() : undefined;
    const thread = options.pollThread ?? ownThread!;
    const watch = thread.watch(
      fd,
      {
        onMessage: (data) => eachEvent(data, onEvent),
        onEnd: (error) => onOverrun(error),
        onOverrun: () => onOverrun(),
      },
      { maxMessageBytes: MAX_DATAGRAM_BYTES },
    );
    return new RouteMonitor(fd, watch, ownThread);
  }

  /** Unsubscribes. Once it resolves, no event is reported any more. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    await this.#watch.close();
    libc.close(this.#fd);
    await this.#ownThread?.close();
  }
}

/**
 * A subscription that is read when its owner asks: for threads that keep a copy of a table and bring it up to date
 * before they look at it.
 */
export class RouteInbox implements Disposable {
  readonly #fd: number;
  readonly #buffer = new Uint8Array(MAX_DATAGRAM_BYTES);
  #closed = false;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** Subscribes: everything that happens from now on is kept until it is read. Throws LinuxError. */
  static open({ groups, namespace }: Omit<RouteMonitorOptions, 'pollThread'>): RouteInbox {
    return new RouteInbox(openNetlink(NETLINK_ROUTE, groupBits(groups), namespace ? { namespace } : {}));
  }

  /**
   * Reports what has happened since the last call, without waiting.
   * @returns false when the kernel had to drop events, so that what is known must be read anew
   */
  read(report: (event: RouteEvent) => void): boolean {
    let isComplete = true;
    for (;;) {
      try {
        const length = libc.recv(this.#fd, this.#buffer, libc.MSG_DONTWAIT);
        eachEvent(this.#buffer.subarray(0, length), report);
      } catch (error) {
        if (isErrno(error, 'EAGAIN')) return isComplete;
        if (!isErrno(error, 'ENOBUFS')) throw error;
        isComplete = false;
      }
    }
  }

  /** Unsubscribes. Closing again does nothing. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    libc.close(this.#fd);
  }
}

function groupBits(groups: readonly RouteGroup[]): number {
  return groups.reduce((bits, group) => bits | (1 << (groupNumbers[group] - 1)), 0);
}

/** Decodes a datagram and reports what it holds. Throws MalformedMessageError. */
export function eachEvent(data: Uint8Array, report: (event: RouteEvent) => void): void {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  for (const frame of frames(view, data.byteLength)) {
    const event = toEvent(view, frame);
    if (event !== undefined) report(event);
  }
}

function toEvent(view: DataView, { type, start, end }: Frame): RouteEvent | undefined {
  switch (type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return {
        kind: 'link',
        change: type === RTM_NEWLINK ? 'new' : 'delete',
        link: toLink(linkMessage.read(view, start, end)),
      };
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return {
        kind: 'address',
        change: type === RTM_NEWADDR ? 'new' : 'delete',
        address: toAddress(addressMessage.read(view, start, end)),
      };
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return {
        kind: 'route',
        change: type === RTM_NEWROUTE ? 'new' : 'delete',
        route: toRoute(routeMessage.read(view, start, end)),
      };
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
      return {
        kind: 'neighbour',
        change: type === RTM_NEWNEIGH ? 'new' : 'delete',
        neighbour: toNeighbour(neighbourMessage.read(view, start, end)),
      };
    default:
      return undefined;
  }
}
