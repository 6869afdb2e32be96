/**
 * Servers that the resolver benchmark asks, in the namespace that they are started in or make:
 * `resolver-peers.ts keeper RUN_FOLDER NAMESPACE`, `resolver-peers.ts dgram`, `resolver-peers.ts batches`.
 * They print `ready` and end with standard input.
 */
import { createSocket } from 'node:dgram';
import { RouteSocket, setLink } from '@seaway/linux';
import { DatagramBatch, Epoll, openInetSocket } from '@seaway/linux/sockets';
import { silentLog } from '../packages/engine/src/base/log.ts';
import { KeeperClient } from '../packages/engine/src/keeper/keeper-client.ts';
import type { KeeperState } from '../packages/engine/src/keeper/protocol.ts';

const address = '127.0.0.11';
const [kind = '', folder = '', namespace = ''] = process.argv.slice(2);

{
  using route = RouteSocket.open(kind === 'keeper' ? { namespace } : {});
  route.execute([setLink({ name: 'lo' }, { up: true })]);
}
process.stdin.resume();
if (kind === 'keeper') await serveNames();
else if (kind === 'dgram') await echo();
else echoInBatches();

/** Our resolver, as the daemon would feed it: a network with two hosts. */
async function serveNames(): Promise<void> {
  const state: KeeperState = {
    networks: [
      {
        id: 'bench',
        name: 'bench',
        hosts: [
          { names: ['web', '0123456789ab'], ipv4: '172.18.0.2' },
          { names: ['db', '123456789abc'], ipv4: '172.18.0.3' },
        ],
      },
    ],
    holders: [],
    sandboxes: [
      {
        id: 'bench',
        namespace,
        networks: [{ id: 'bench', links: {} }],
        forwardsFromHost: true,
        hasExplicitNdots: false,
      },
    ],
  };
  const client = new KeeperClient({ folder, state: () => state, log: silentLog });
  await client.restore();
  process.stdin.once('end', async () => {
    await client.apply({ dropSandboxes: ['bench'], dropNetworks: ['bench'] });
    await client.close();
    process.exit(0);
  });
  process.stdout.write('ready\n');
}

/** What ordinary Node makes of it: each packet an event, and back it goes. */
async function echo(): Promise<void> {
  const socket = createSocket('udp4');
  socket.on('message', (message, { port, address: to }) => socket.send(message, port, to));
  await new Promise<void>((resolve) => socket.bind(53, address, resolve));
  process.stdin.once('end', () => process.exit(0));
  process.stdout.write('ready\n');
}

/** The least that a server in our way can do: what lies between it and the resolver is the price of the answers. */
function echoInBatches(): void {
  const { fd } = openInetSocket('udp', 'ipv4', address, 53);
  const epoll = new Epoll();
  epoll.add(fd, 1);
  epoll.add(0, 0);
  const batch = new DatagramBatch(32, 2048, 4096);
  process.stdout.write('ready\n');
  for (;;) {
    const ready = epoll.wait();
    for (let index = 0; index < ready; index++) if (epoll.id(index) === 0) process.exit(0);
    const count = batch.receive(fd);
    for (let index = 0; index < count; index++) {
      const length = batch.length(index);
      batch.replySlot().set(batch.data(index).subarray(0, length));
      batch.addReply(index, length);
    }
    batch.sendReplies(fd);
  }
}
