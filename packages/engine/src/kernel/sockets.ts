/** The calling kernel thread's own sockets in the host's namespace, opened once. */
import { Nftables, RouteSocket, RulesetGeneration } from '@seaway/linux';

let routeSocket: RouteSocket | undefined;
let nftablesSocket: Nftables | undefined;

export function route(): RouteSocket {
  routeSocket ??= RouteSocket.open();
  return routeSocket;
}

/** Never closed while the thread lives: closing an nfnetlink socket after a deletion costs 9 ms. */
export function nftables(): Nftables {
  nftablesSocket ??= Nftables.open();
  return nftablesSocket;
}

let generationSocket: RulesetGeneration | undefined;

export function generation(): RulesetGeneration {
  generationSocket ??= RulesetGeneration.open();
  return generationSocket;
}
